"""A process as the system has it: three pipes, an exit, and a group of whatever it starts, which ends as a whole.

`server_process` starts it and reads and writes messages; this knows bytes and signals.
"""

import asyncio
import contextlib
import os
import signal
from typing import Final, cast

from gateway.proxy.line_log import LineLog

# How long a process may take to end by itself once its input is closed, and again after SIGTERM.
STOP_S: Final = 2.0
# How long the output of a process that has ended is still read: a child that left its group may hold the pipe open.
LAST_WORDS_S: Final = 0.5

_CHUNK_BYTES: Final = 64 << 10


class ProcessPipes(asyncio.subprocess.SubprocessStreamProtocol):
    """The protocol of a subprocess transport, for a process that leads a group of its own."""

    def __init__(self, errors: LineLog) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(limit=_CHUNK_BYTES, loop=loop)
        self.has_exited: asyncio.Future[None] = loop.create_future()
        self._errors = errors
        self._process: asyncio.SubprocessTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The process runs, and its pipes are open."""
        super().connection_made(transport)
        self._process = cast("asyncio.SubprocessTransport", transport)
        # A process may have ended by now, and uvloop then have closed its pipe.
        if not self._input().is_closing():
            # So that what was written is with the process, and not in a buffer of ours.
            self._input().set_write_buffer_limits(high=0)

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        """It has written something."""
        if fd == 2 and isinstance(data, bytes):
            self._errors.feed(data)
        else:
            super().pipe_data_received(fd, data)

    def process_exited(self) -> None:
        """Whatever else it has started ends with it."""
        super().process_exited()
        self._signal(signal.SIGKILL)
        self.has_exited.set_result(None)
        asyncio.get_running_loop().call_later(LAST_WORDS_S, self._process.close)

    async def read(self) -> bytes:
        """The next piece of its output; nothing at the end."""
        return await cast("asyncio.StreamReader", self.stdout).read(_CHUNK_BYTES)

    async def write(self, data: bytes) -> None:
        """Write to its input, and wait until it is there."""
        cast("asyncio.StreamWriter", self.stdin).write(data)
        await self.drained()

    async def drained(self) -> None:
        """Wait until everything written so far is there."""
        await cast("asyncio.StreamWriter", self.stdin).drain()

    async def stop(self) -> None:
        """End the process and all of its group within twice `STOP_S`, and close every pipe."""
        try:
            if not self._input().is_closing():
                self._input().abort()
            await asyncio.wait([self.has_exited], timeout=STOP_S)
            if not self.has_exited.done():
                self._signal(signal.SIGTERM)
                await asyncio.wait([self.has_exited], timeout=STOP_S)
        finally:
            if not self.has_exited.done():
                self._signal(signal.SIGKILL)
        # A process that the system itself holds up (a device, a debugger) is left to it.
        await asyncio.wait([self.has_exited], timeout=STOP_S)
        self._process.close()

    def _input(self) -> asyncio.WriteTransport:
        return cast("asyncio.WriteTransport", self._process.get_pipe_transport(0))

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.get_pid(), number)
