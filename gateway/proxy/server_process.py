"""One process of a server that speaks over stdio: its start, the messages to and from it, and its end.

It knows nothing of what the messages mean; `stdio_session` and `shared_session` do.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from gateway.mcp.lines import LineSplitter
from gateway.proxy.command import Command
from gateway.proxy.line_log import LineLog
from gateway.proxy.process_pipes import ProcessPipes
from gateway.proxy.transfer import MAX_EVENT_BYTES
from gateway.proxy.upstream import Failure, UpstreamError
from gateway.tasks import Tasks

Take = Callable[[dict[str, Any], bytes], Awaitable[None]]
"""Takes a message: read, and as the server wrote it."""


class ServerProcess:
    """One process, which `run` starts."""

    def __init__(self, server: str, command: Command, patience_s: float, tasks: Tasks) -> None:
        """`patience_s` is how long a message of ours may take to be read; `tasks` runs what must outlive a caller."""
        self.has_spoken = False
        """Whether it has ever sent a message."""
        self.has_failed = False
        """Whether it could not be started, gave no sign of life, or died at once."""
        self.is_ending = False
        """Whether it is being ended, by us."""
        self._server = server
        self._command = command
        self._patience_s = patience_s
        self._tasks = tasks
        self._errors = LineLog(f"server {server}, standard error")
        self._garbage = LineLog(f"server {server}, no message")
        self._started: asyncio.Future[ProcessPipes | None] = asyncio.get_running_loop().create_future()
        self._failure = _down(server, "it was ended at once")
        self._writing = asyncio.Lock()

    @property
    def is_starting(self) -> bool:
        """Whether it has neither started nor failed to."""
        return not self._started.done()

    async def started(self) -> None:
        """Wait until it runs. Raises `UpstreamError` if it cannot."""
        await self._pipes()

    async def run(self, take: Take) -> None:
        """Start the process and pass on every message it sends, until it has nothing more to say.

        Raises `UpstreamError` where it cannot be started, or says what cannot be passed on.
        """
        try:
            pipes = await self._start()
        except UpstreamError as error:
            self._failure = error
            raise
        finally:
            if not self._started.done():
                self._started.set_result(None)
        try:
            await self._read(pipes, take)
        finally:
            self.end()

    async def write(self, message: bytes, timeout_s: float | None = None) -> None:
        """Send a message; the process has it all when this returns. Raises `UpstreamError`.

        A process that does not read what it is sent within the time is ended: what it has not read, it will not run.
        """
        pipes = await self._pipes()
        begun = False
        try:
            async with asyncio.timeout(timeout_s or self._patience_s), self._writing:
                # After a writer who left, something may be on its way yet.
                begun = True
                self._check_running(pipes)
                await pipes.drained()
                await pipes.write(message + b"\n")
        except TimeoutError:
            if begun:
                self.end()
            text = f"The server {self._server} did not take the message in time, so the call was not run."
            raise UpstreamError(Failure.TIMEOUT, text, may_have_run=False) from None
        except (OSError, RuntimeError):
            # uvloop has a RuntimeError for a pipe that is closed. Whoever reads nothing more is of no use.
            self.end()
            raise self.broken() from None

    def tell(self, message: bytes) -> None:
        """Send a message that nobody waits for, if the process still listens."""
        if not self.is_ending:
            self._tasks.spawn(self.write(message), "tell a server's process")

    def fail(self) -> None:
        """End the process, if it still runs, and count it as one that failed."""
        self.has_failed = True
        self.end()

    def end(self) -> None:
        """End the process, if it still runs: its input closes, then there are signals. Returns at once."""
        if self.is_ending:
            return
        self.is_ending = True
        self._tasks.spawn(self._stop(), "end a server's process")

    def broken(self) -> UpstreamError:
        """What those are told who wait for answers when the process has ended."""
        text = f"The process of the server {self._server} ended; the call may have run."
        return UpstreamError(self._kind, text, may_have_run=True)

    @property
    def _kind(self) -> Failure:
        """What its end is: one that never said anything was not there."""
        return Failure.BROKEN if self.has_spoken else Failure.DOWN

    async def _pipes(self) -> ProcessPipes:
        pipes = await asyncio.shield(self._started)
        if pipes is None:
            raise self._failure
        return pipes

    async def _start(self) -> ProcessPipes:
        program = self._command.program
        if program is None:
            raise _down(self._server, f"there is no program {self._command.arguments[0]}")
        loop = asyncio.get_running_loop()
        try:
            _, pipes = await loop.subprocess_exec(
                lambda: ProcessPipes(self._errors),
                *(program, *self._command.arguments[1:]),
                env=self._command.environment,
                cwd=self._command.folder,
                start_new_session=True,
            )
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else type(error).__name__
            raise _down(self._server, reason) from None
        self._started.set_result(pipes)
        return pipes

    async def _read(self, pipes: ProcessPipes, take: Take) -> None:
        splitter = LineSplitter(MAX_EVENT_BYTES)
        while chunk := await pipes.read():
            for line in splitter.feed(chunk):
                if line is None:
                    text = f"The server {self._server} wrote a line of more than {MAX_EVENT_BYTES} bytes."
                    raise UpstreamError(Failure.BROKEN, text, may_have_run=True)
                message = _message(line)
                if message is not None:
                    self.has_spoken = True
                    await take(message, line)
                elif line.strip():
                    self._garbage.lines([line])

    def _check_running(self, pipes: ProcessPipes) -> None:
        if self.is_ending or pipes.has_exited.done():
            text = f"The process of the server {self._server} has ended, so the call was not run."
            raise UpstreamError(self._kind, text, may_have_run=False)

    async def _stop(self) -> None:
        pipes = await asyncio.shield(self._started)
        if pipes is not None:
            await pipes.stop()
        self._errors.close()
        self._garbage.close()


def _message(line: bytes) -> dict[str, Any] | None:
    """The JSON-RPC message in a line; None where there is none."""
    try:
        message = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, dict) and ("method" in message or "id" in message) else None


def _down(server: str, reason: str) -> UpstreamError:
    text = f"The server {server} cannot be started ({reason}), so the call was not run."
    return UpstreamError(Failure.DOWN, text, may_have_run=False)
