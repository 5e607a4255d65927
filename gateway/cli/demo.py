"""`gateway demo`: runs the stand-in for BinAssistMCP."""

import argparse

from gateway.errors import GatewayError

_WORDS = {"serve": "run the stand-in server (the default)"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo` to the command line; its arguments are for `run`."""
    words = "; ".join(f"{word}: {meaning}" for word, meaning in _WORDS.items())
    parser = subparsers.add_parser("demo", help="run a stand-in for BinAssistMCP, to try the gateway")
    parser.add_argument("word", nargs="?", choices=list(_WORDS), default="serve", help=words)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=9090, help="0 takes a free one (default: %(default)s)")
    parser.add_argument("--slow", action="store_true", help="let analysis block the server, as the real one")


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted; the exit code. `GatewayError` when the server can't be started."""
    try:
        # Imported late, because the SDK comes with an extra that the other commands do without.
        from gateway.demo import server  # noqa: PLC0415
    except ModuleNotFoundError as missing:
        if (missing.name or "").startswith("gateway"):
            raise
        raise GatewayError(
            f"the demo needs {missing.name}, which is not installed: pip install 'mcp-policy-gateway[demo]'"
        ) from missing
    server.serve(args.host, args.port, args.slow)
    return 0
