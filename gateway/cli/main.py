"""The `gateway` command: reads the arguments and hands over to the module of the subcommand."""

import argparse
import sys
from typing import Protocol

from gateway import __version__
from gateway.cli import check, demo, grant, serve
from gateway.errors import GatewayError


class _Command(Protocol):
    """What the module of a subcommand offers."""

    def add_parser(self, subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None: ...

    def run(self, args: argparse.Namespace) -> int: ...


_COMMANDS: dict[str, _Command] = {"serve": serve, "check": check, "grant": grant, "demo": demo}


def main(argv: list[str] | None = None) -> int:
    """Run one subcommand; returns the exit code. A GatewayError is printed on stderr and gives 1.

    `argv` leaves out the name of the program; None takes the process's own. Wrong usage raises SystemExit(2).
    """
    args = _parser().parse_args(argv)
    try:
        return _COMMANDS[args.command].run(args)
    except GatewayError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway", description="A policy gateway between agents and MCP servers.")
    parser.add_argument("--version", action="version", version=f"gateway {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in _COMMANDS.values():
        command.add_parser(subparsers)
    return parser
