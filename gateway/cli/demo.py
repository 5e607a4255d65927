"""`gateway demo`: the stand-in for BinAssistMCP, alone, with a gateway before it, or toured by a client."""

import argparse
from typing import Final

from gateway.cli import demo_tour, demo_up, extra
from gateway.errors import GatewayError

_HOST: Final = "127.0.0.1"
_PORT: Final = 9090


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` and its own subcommands to the command line."""
    parser = subparsers.add_parser(
        "demo",
        help="run a stand-in for BinAssistMCP, to try the gateway",
        description="Run a stand-in for BinAssistMCP, alone unless an ACTION is given.",
    )
    parser.add_argument("--host", help=f"address to listen on, alone (default: {_HOST})")
    parser.add_argument("--port", type=_port, help=f"port, alone; 0 takes a free one (default: {_PORT})")
    parser.add_argument("--slow", action="store_true", help="let analysis block the server, as the real one")
    actions = parser.add_subparsers(dest="action", metavar="[ACTION]")
    demo_up.add_parser(actions)
    demo_tour.add_parser(actions)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted, or give the tour; the exit code. `GatewayError` when something can't be started."""
    if args.action is not None and (args.host is not None or args.port is not None):
        raise GatewayError(f"--host and --port are for `gateway demo` alone; see `gateway demo {args.action} --help`")
    match args.action:
        case "up":
            return demo_up.run(args)
        case "tour":
            return demo_tour.run(args)
        case _:
            port = _PORT if args.port is None else args.port
            extra.load("gateway.demo.server", "demo").serve(args.host or _HOST, port, args.slow)
            return 0


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
