"""`gateway demo`: the stand-in for BinAssistMCP, alone, with a gateway before it, or toured by a client."""

import argparse
from typing import Final

from gateway.cli import demo_tour, demo_up, extra

_HOST: Final = "127.0.0.1"
_PORT: Final = 9090


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` and its own subcommands to the command line."""
    parser = subparsers.add_parser(
        "demo",
        help="run a stand-in for BinAssistMCP, to try the gateway",
        description="Run a stand-in for BinAssistMCP, to try the gateway. Alone it is `gateway demo serve`.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION")
    parser.set_defaults(action="serve", host=_HOST, port=_PORT, slow=False)
    _add_serve(actions)
    demo_up.add_parser(actions)
    demo_tour.add_parser(actions)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted, or give the tour; the exit code. `GatewayError` when something can't be started."""
    match args.action:
        case "up":
            return demo_up.run(args)
        case "tour":
            return demo_tour.run(args)
        case _:
            extra.load("gateway.demo.server", "demo").serve(args.host, args.port, args.slow)
            return 0


def _add_serve(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = actions.add_parser("serve", help="run the stand-in server alone (the default)")
    parser.add_argument("--host", default=_HOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=_PORT, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--slow", action="store_true", help="let analysis block the server, as the real one")


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
