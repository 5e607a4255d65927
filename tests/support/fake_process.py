"""A server's process that is none: what is sent to it is kept, and the test says what it answers."""

import asyncio
from typing import Any

import orjson

from gateway.proxy.server_process import ServerProcess
from gateway.tasks import Tasks
from tests.support.commands import shell


class FakeProcess(ServerProcess):
    """It starts when the test says so."""

    def __init__(self) -> None:
        super().__init__("binassist", shell(""), 5, Tasks())
        self.sent: list[Any] = []
        self.ready = asyncio.Event()
        self.has_spoken = True

    async def started(self) -> None:
        """Wait for the test."""
        await self.ready.wait()

    async def write(self, message: bytes, timeout_s: float | None = None) -> None:
        """Keep the message."""
        await self.ready.wait()
        self.sent.append(orjson.loads(message))

    def tell(self, message: bytes) -> None:
        """Keep the message."""
        self.sent.append(orjson.loads(message))

    def end(self) -> None:
        """There is nothing to end."""
        self.is_ending = True
