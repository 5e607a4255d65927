"""An agent over stdio, by hand: lines out and lines in, at the socket itself or through `gateway stdio`."""

import asyncio
import os
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any, Self

import orjson

from gateway import stdio_socket
from gateway.stdio_socket import Hello
from tests.support.agents import stdio_command
from tests.support.gateways import RunningGateway
from tests.support.sse_agent import INITIALIZE, INITIALIZED


class LineAgent:
    """What every agent over stdio does with its two streams."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *messages: Any) -> None:
        """Say something, each on a line (bytes as they are)."""
        for message in messages:
            self.writer.write((message if isinstance(message, bytes) else orjson.dumps(message)) + b"\n")
        await self.writer.drain()

    async def message(self) -> Any:
        """The next message. Raises `EOFError` at the end."""
        async with asyncio.timeout(10):
            line = await self.reader.readline()
        if not line:
            raise EOFError
        return orjson.loads(line)

    async def ask(self, message: Any) -> Any:
        """Send a request; the next message, which should be its answer."""
        await self.send(message)
        return await self.message()

    async def initialize(self) -> Any:
        """Open a session at the server; the server's answer."""
        answer = await self.ask(INITIALIZE)
        await self.send(INITIALIZED)
        return answer


class SocketAgent(LineAgent):
    """An agent at the socket of a gateway in this process; `async with` connects, greets and leaves."""

    def __init__(self, gateway: RunningGateway, grant: str = "seed") -> None:
        self._state_dir = gateway.config.state_dir
        self._grant = grant

    async def __aenter__(self) -> Self:
        self.reader, self.writer = await connect(self._state_dir)
        self.writer.write(stdio_socket.encode(Hello(self._grant)))
        assert await self.reader.readline() == b'{"error":""}\n'
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the connection."""
        self.writer.close()


class PipeAgent(LineAgent):
    """An agent that spawns `gateway stdio`; `async with` sees that it has ended."""

    def __init__(self, config: Path, grant: str = "seed", cwd: Path | None = None) -> None:
        self._command = stdio_command(config, grant)
        self._cwd = cwd

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd=self._cwd, limit=4 << 20, env=os.environ
        )
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        self.reader, self.writer = self.process.stdout, self.process.stdin
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.ended()

    async def ended(self) -> tuple[int, bytes, str]:
        """Close its standard input and wait for its end: exit code, what was left to read, and its complaints."""
        self.writer.close()
        async with asyncio.timeout(30):
            rest, errors = await self.process.communicate()
        return self.process.returncode or 0, rest, errors.decode()


async def connect(state_dir: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the gateway's socket, before any greeting."""
    connection = stdio_socket.connect(state_dir)
    assert connection is not None
    return await asyncio.open_unix_connection(sock=connection, limit=4 << 20)
