"""`gateway demo`: the stand-in for BinAssistMCP, alone, with a gateway before it, or toured by a client."""

import argparse
from pathlib import Path

from gateway.cli import demo_tour, demo_up, extra

_WORDS = {
    "serve": "run the stand-in server (the default)",
    "up": "run it with a gateway before it, on ports that are free, and print what to connect to",
    "tour": "show the official client at a gateway of its own, in a table",
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` to the command line; its arguments are for `run`."""
    words = "; ".join(f"{word}: {meaning}" for word, meaning in _WORDS.items())
    parser = subparsers.add_parser("demo", help="run a stand-in for BinAssistMCP, to try the gateway")
    parser.add_argument("word", nargs="?", choices=list(_WORDS), default="serve", help=words)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=_port, default=9090, help="0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--directory", type=Path, default=Path("gateway-demo"), help="where `up` keeps its files (default: %(default)s)"
    )
    parser.add_argument("--free-ports", action="store_true", help="let `up` take any free ports at once")
    parser.add_argument("--slow", action="store_true", help="let analysis block the server, as the real one")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted, or give the tour; the exit code. `GatewayError` when something can't be started."""
    match args.word:
        case "up":
            return demo_up.run(args)
        case "tour":
            return demo_tour.run(args)
        case _:
            extra.load("gateway.demo.server", "demo").serve(args.host, args.port, args.slow)
            return 0


def _port(text: str) -> int:
    if text.isdecimal() and int(text) < 65536:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no port; give a number from 0 to 65535")
