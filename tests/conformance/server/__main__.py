"""`python -m tests.conformance.server [--port N]`: serve the fixture on loopback until interrupted."""

import argparse
import socket
import warnings
from contextlib import suppress

import uvicorn
from mcp.shared.exceptions import MCPDeprecationWarning

from tests.conformance.server.app import build_app


def main() -> None:
    """Serve. Prints one line with the URL once connections are accepted."""
    parser = argparse.ArgumentParser(description="Serve the fixture of the conformance suite on loopback.")
    parser.add_argument("--port", type=int, default=0, help="default: a free one")
    port = parser.parse_args().port
    # The older revisions have what the newest deprecates, and the suite asks for all of it.
    warnings.simplefilter("ignore", MCPDeprecationWarning)
    with socket.create_server(("127.0.0.1", port)) as listener:
        print(f"fixture: http://127.0.0.1:{listener.getsockname()[1]}/mcp", flush=True)
        # Of the parsers that uvicorn takes when they are there, one keeps the spaces around a header's value.
        config = uvicorn.Config(build_app(), http="h11", log_level="warning", timeout_graceful_shutdown=1)
        with suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listener])


main()
