"""The socket between `gateway stdio` and the gateway that owns a state directory: where it is, and how both greet.

Its file stands in the state directory, and only the gateway's own user may use it. What is said after the greeting
is not known here; `proxy.stdio_listener` has the gateway's end, `cli.stdio` the other.
"""

import contextlib
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from gateway.errors import GatewayError, StateError

FILE_NAME: Final = "stdio.sock"
LOG_NAME: Final = "stdio.log"
IN_USE: Final = 75
"""The exit code of a gateway started for stdio alone, where another one has the state directory (EX_TEMPFAIL)."""

# What the kernel has room for in an address (sun_path), its final NUL not counted.
_MAX_PATH_BYTES: Final = 107 if sys.platform == "linux" else 103
_BACKLOG: Final = 64
# A gateway that hangs takes no more connections than fit in its backlog.
CONNECT_TIMEOUT_S: Final = 10
_TIMEVAL: Final = struct.Struct("2l")

# macOS, <sys/un.h> and <sys/ucred.h>: the level and name of the option, and `struct xucred` up to its uid.
_SOL_LOCAL: Final = 0
_LOCAL_PEERCRED: Final = 1
_XUCRED: Final = struct.Struct("2I")
_XUCRED_BYTES: Final = 76
_UCRED: Final = struct.Struct("3i")


class Hello(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line of the command's."""

    grant: str
    """A label."""


class Welcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The gateway's line in return. After it there is nothing but messages."""

    error: str = ""
    """Why there is no way in, in a sentence for a person; empty where there is one."""


def encode(greeting: Hello | Welcome) -> bytes:
    """A greeting as a line."""
    return msgspec.json.encode(greeting) + b"\n"


def listen(state_dir: Path) -> socket.socket:
    """A listening socket, for whoever owns the state directory: what stands in its place is a dead one's, and goes.

    Raises `StateError` when it cannot be made.
    """
    listening = socket.socket(socket.AF_UNIX)
    try:
        with _address(state_dir) as address:
            remove(state_dir)
            listening.bind(address)
            Path(address).chmod(0o600)
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        raise StateError(f"{state_dir / FILE_NAME}: cannot be made: {error.strerror}") from None
    except StateError:
        listening.close()
        raise
    return listening


def remove(state_dir: Path) -> None:
    """Take the socket's file away, so that nobody waits at it."""
    (state_dir / FILE_NAME).unlink(missing_ok=True)


def connect(state_dir: Path) -> socket.socket | None:
    """A connection to the gateway that owns the state directory; None where none does.

    Raises `GatewayError` when the socket is there and cannot be used.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _address(state_dir) as address:
            _set_patience(connection, CONNECT_TIMEOUT_S)
            connection.connect(address)
            _set_patience(connection, 0)
    except (FileNotFoundError, ConnectionRefusedError):
        connection.close()
        return None
    except OSError as error:
        connection.close()
        raise GatewayError(f"{state_dir / FILE_NAME}: cannot be connected to: {error.strerror}") from None
    return connection


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end; None where the system does not say."""
    with contextlib.suppress(OSError, struct.error):
        if hasattr(socket, "SO_PEERCRED"):
            return int(_UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))[1])
        return int(_XUCRED.unpack_from(connection.getsockopt(_SOL_LOCAL, _LOCAL_PEERCRED, _XUCRED_BYTES))[1])
    return None


def _set_patience(connection: socket.socket, seconds: int) -> None:
    """How long `connect` and `send` may wait; 0 for ever. Python's own time-out would not wait for a full backlog."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL.pack(seconds, 0))


@contextlib.contextmanager
def _address(state_dir: Path) -> Iterator[str]:
    """A path to the socket that the kernel has room for, while the block runs."""
    path = str(state_dir.absolute() / FILE_NAME)
    if len(os.fsencode(path)) <= _MAX_PATH_BYTES:
        yield path
        return
    if not Path("/proc/self/fd").is_dir():
        raise StateError(
            f"{path}: too long for a socket, which may have {_MAX_PATH_BYTES} bytes here; give state_dir a shorter path"
        )
    directory = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{FILE_NAME}"
    finally:
        os.close(directory)
