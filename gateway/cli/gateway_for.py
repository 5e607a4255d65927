"""The gateway that owns a state directory, for `gateway stdio`: the one that runs, or else one that is started.

Counters and journal belong to one process, so every command on this state directory must come to the same one.
"""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Final

import msgspec

from gateway import stdio_socket
from gateway.config import Config
from gateway.errors import GatewayError, StateError
from gateway.lock import Lock
from gateway.state_directory import make_private
from gateway.stdio_socket import Hello, Welcome

# How often, and how many times, to look whether it is there: 30 s in all, and so long for its greeting.
_POLL_S: Final = 0.05
_START_POLLS: Final = 600
_GREETING_TIMEOUT_S: Final = 30.0
_MAX_QUOTED_BYTES: Final = 2000


def gateway_for(config: Config, path: Path, grant: str) -> socket.socket:
    """A connection to the gateway of the configuration at `path`, on which that grant may now send messages.

    Raises `GatewayError` when there is none and none can be started, or it refuses.
    """
    connection = _greeted(config.state_dir, grant)
    if connection is None:
        make_private(config.state_dir)
        with contextlib.closing(_Starter(config.state_dir, path)) as starter:
            for _ in range(_START_POLLS):
                starter.step()
                sleep(_POLL_S)
                if (connection := _greeted(config.state_dir, grant)) is not None:
                    return connection
            raise GatewayError(f"no gateway came up within {_START_POLLS * _POLL_S:g} s; see {starter.log}")
    return connection


def _greeted(state_dir: Path, grant: str) -> socket.socket | None:
    """A connection on which the gateway has welcomed us; None where no gateway takes any. Raises `GatewayError`."""
    connection = stdio_socket.connect(state_dir)
    if connection is None:
        return None
    try:
        is_welcome = _greet(connection, grant)
    except GatewayError:
        connection.close()
        raise
    if not is_welcome:
        connection.close()
        return None
    return connection


def _greet(connection: socket.socket, grant: str) -> bool:
    """False for a gateway that is about to end: the next attempt meets another, or none. Raises `GatewayError`."""
    connection.settimeout(_GREETING_TIMEOUT_S)
    try:
        connection.sendall(stdio_socket.encode(Hello(grant)))
        line = _line(connection)
    except UnicodeEncodeError:
        raise GatewayError(f"no grant has the label {grant!r}, which is not UTF-8") from None
    except TimeoutError:
        raise GatewayError(f"the gateway did not answer within {_GREETING_TIMEOUT_S:g} s") from None
    except ConnectionError:
        return False
    if not line:
        return False
    if error := msgspec.json.decode(line, type=Welcome).error:
        raise GatewayError(error)
    connection.settimeout(None)
    return True


def _line(connection: socket.socket) -> bytes:
    """The first line, and not a byte of what follows it; empty when the connection ends before."""
    line = bytearray()
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte:
            return b""
        line += byte
    return bytes(line)


class _Starter:
    """Starts a gateway in the background, unless another command is doing so."""

    def __init__(self, state_dir: Path, config_path: Path) -> None:
        self.log = state_dir / stdio_socket.LOG_NAME
        self._lock_path = state_dir / "stdio.lock"
        self._config_path = config_path.absolute()
        self._lock: Lock | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    def step(self) -> None:
        """Do what there is to do now. Raises `GatewayError` when the gateway cannot be started, or has failed."""
        if self._lock is None:
            self._lock = self._take_lock()
        elif self._process is None:
            self._start()
        elif (code := self._process.poll()) is not None:
            self._process = None
            # Another one is there that has no socket yet, or no longer, or ours was not used in time: look again, and
            # start again if need be.
            if code not in (0, stdio_socket.IN_USE):
                raise GatewayError(f"the gateway did not start:\n{self._quoted()}\nSee {self.log}.")

    def close(self) -> None:
        """Let other commands start one. What was started goes on."""
        if self._lock is not None:
            self._lock.release()

    def _take_lock(self) -> Lock | None:
        try:
            return Lock.take(self._lock_path)
        except StateError as error:
            if isinstance(error.__cause__, BlockingIOError):
                return None
            raise

    def _start(self) -> None:
        # -P: what stands in the agent's directory, such as a package of our name, is not run.
        command = [sys.executable, "-P", "-m", "gateway", "serve", "--stdio-only", "--config", str(self._config_path)]
        try:
            with open(self.log, "ab", opener=_open_private) as log:
                self._log_start = log.tell()
                self._process = subprocess.Popen(
                    command,
                    cwd=self._config_path.parent,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            reason = f"{error.filename}: {error.strerror}"
            raise GatewayError(f"no gateway can be started: {reason}; its log must be a plain file") from None

    def _quoted(self) -> str:
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read(_MAX_QUOTED_BYTES).decode("utf-8", "replace").strip()


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
