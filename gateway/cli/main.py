"""The `gateway` command: reads the arguments and hands over to the module of the subcommand.

Only the module that was asked for is imported, so that help and the version can be had where the compiled core
is missing, and `grant new` starts without a web server.
"""

import argparse
import importlib
import os
import sys
from typing import Any, Final, Protocol

from gateway import __version__
from gateway.errors import GatewayError

_COMMANDS: Final = {
    "serve": "run the gateway",
    "stdio": "connect one agent over standard input and output",
    "check": "check policies and configurations",
    "explain": "say why a call is decided as it is",
    "diff": "show what changes between two policies",
    "replay": "judge the calls of the audit journal by a draft of a policy",
    "test": "run golden cases against a policy",
    "grant": "make tokens for agents",
    "approvals": "decide on calls that wait for approval",
    "admin": "make tokens for people who decide over HTTP",
    "scan": "write a policy for a live server",
    "pin": "record what a server's tools are, to notice when they change",
    "catalog": "show how risky BinAssistMCP's tools are, and a policy for each",
    "audit": "read, search and verify the audit journal",
    "demo": "run a stand-in for BinAssistMCP, to try the gateway",
}
# As shells say that a signal ended a command: SIGINT, SIGPIPE.
_INTERRUPTED: Final = 130
_NOBODY_READS: Final = 141


class _Command(Protocol):
    """What the module of a subcommand offers."""

    def add_parser(self, subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit code. A GatewayError is printed on stderr and gives 1.

    `argv` leaves out the name of the program; None takes the process's own. Wrong usage raises SystemExit(2).
    """
    arguments = sys.argv[1:] if argv is None else argv
    try:
        args = _parser(arguments[:1]).parse_args(arguments)
        code = _load(args.command).run(args)
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except GatewayError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # What is still buffered must not fail once more at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NOBODY_READS


def _parser(asked: list[str]) -> argparse.ArgumentParser:
    """The parser, complete for the command that is asked for; of the others it knows what help says."""
    parser = argparse.ArgumentParser(prog="gateway", description="A policy gateway between agents and MCP servers.")
    parser.add_argument("--version", action="version", version=f"gateway {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, summary in _COMMANDS.items():
        if name in asked:
            _load(name).add_parser(subparsers)
        else:
            subparsers.add_parser(name, help=summary)
    return parser


def _load(name: str) -> _Command:
    module: Any = importlib.import_module(f"gateway.cli.{name}")
    command: _Command = module
    return command
