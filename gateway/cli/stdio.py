"""`gateway stdio`: a pipe between an agent that spawns a command and the gateway that owns the state directory.

It judges nothing and changes nothing: it copies standard input to the gateway and what comes back to standard output,
where nothing else is ever written. `gateway_for` finds the gateway, or starts one.
"""

import argparse
import contextlib
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Final

from gateway.cli.gateway_for import gateway_for
from gateway.config import load_config
from gateway.errors import GatewayError

_CHUNK_BYTES: Final = 1 << 16
_STDIN: Final = 0
_STDOUT: Final = 1


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the subcommand."""
    parser = subparsers.add_parser(
        "stdio",
        help="connect one agent over standard input and output",
        description="Be the MCP server that an agent spawns: pass messages to the gateway of this configuration, which "
        "is started in the background where none runs, and ends soon after its last agent.",
    )
    parser.add_argument("--config", type=Path, metavar="FILE", required=True, help="as for `gateway serve`")
    parser.add_argument("--grant", metavar="LABEL", required=True, help="who the agent is: a label under `grants`")


def run(args: argparse.Namespace) -> int:
    """Pass messages until the agent or the gateway ends it: 0 if it was the agent, else 1.

    Raises `GatewayError` when there is no way in.
    """
    # Nothing here needs to be put in order first: the gateway sees that the connection has ended.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    _check_streams()
    config = load_config(args.config)
    for warning in config.warnings:
        print(warning, file=sys.stderr)
    with gateway_for(config, args.config, args.grant) as connection:
        return _pipe(connection)


def _check_streams() -> None:
    """Raises `GatewayError` for a stream that is closed: the next thing to be opened would be taken for it."""
    for number, name in ((_STDIN, "input"), (_STDOUT, "output")):
        try:
            os.fstat(number)
        except OSError:
            raise GatewayError(f"standard {name} is closed; the agent must be at its other end") from None


def _pipe(connection: socket.socket) -> int:
    has_agent_ended = threading.Event()
    # One thread for each direction, so that neither waits for the other.
    threading.Thread(target=_send, args=(connection, has_agent_ended), daemon=True).start()
    try:
        while data := connection.recv(_CHUNK_BYTES):
            _write(data)
    except BrokenPipeError:
        return 0
    except ConnectionResetError:
        pass
    if has_agent_ended.is_set():
        return 0
    print("the gateway has ended the session; its log and its audit journal say why", file=sys.stderr)
    return 1


def _send(connection: socket.socket, has_agent_ended: threading.Event) -> None:
    """Pass on what the agent writes, and that it has ended."""
    # Whatever breaks on the gateway's side is seen where it is read from.
    with contextlib.suppress(OSError):
        while data := _read():
            connection.sendall(data)
        has_agent_ended.set()
        connection.shutdown(socket.SHUT_WR)


def _read() -> bytes:
    """What the agent writes next; nothing when it has ended, or cannot be read from any more."""
    try:
        return os.read(_STDIN, _CHUNK_BYTES)
    except OSError:
        return b""


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(_STDOUT, view) :]
