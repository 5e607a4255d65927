"""The way to an MCP server that is a command, spoken to over its standard input and output.

Each session of an older revision has a process of its own; the agents of one grant that speak 2026-07-28, which has no
sessions, share one. Processes are started when they are needed, and ended with their session.
"""

import logging
import secrets
from collections.abc import Mapping
from typing import Final

from gateway.clock import Clock
from gateway.mcp.message import Notification, Request, claimed_version
from gateway.proxy.backoff import MIN_LIFE_NS, Backoff
from gateway.proxy.command import Command
from gateway.proxy.server_process import ServerProcess
from gateway.proxy.session_table import SessionTable
from gateway.proxy.session_upstream import Post, SessionUpstream, answer_of, refused_without_session
from gateway.proxy.shared_session import SharedSession
from gateway.proxy.stdio_session import StdioSession
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from gateway.tasks import Tasks

logger = logging.getLogger(__name__)

MAX_PROCESSES: Final = 64


class StdioUpstream(SessionUpstream[StdioSession]):
    """One MCP server by its command."""

    def __init__(
        self, name: str, command: Command, timeout_s: float, tool_timeouts_s: Mapping[str, float], clock: Clock
    ) -> None:
        """As for `Upstream`; `clock` measures how long processes live."""
        super().__init__(name, timeout_s, tool_timeouts_s)
        self.table: SessionTable[StdioSession | SharedSession] = SessionTable(name, MAX_PROCESSES)
        self._command = command
        self._clock = clock
        self._backoff = Backoff(clock)
        self._shared: dict[str, SharedSession] = {}
        """By the label of the grant."""
        # Its own, because ending a process takes longer than whoever caused it is there.
        self._tasks = Tasks()

    @property
    def sessions(self) -> int:
        """How many processes there are, those that a grant's agents share among them."""
        return len(self.table)

    @property
    def is_given_up(self) -> bool:
        """Whether a process has failed, and no other is started yet."""
        return bool(self._backoff.remaining_s)

    def open(self) -> None:
        """Processes are started when they are needed."""

    async def close(self) -> None:
        """End every process, all at once."""
        self.table.close()
        await self._tasks.finished()

    async def is_reachable(self) -> bool:
        """Whether a process could be started now."""
        return not self._backoff.remaining_s and self._command.program is not None

    def session(self, id: str) -> StdioSession | None:
        """The open session with this id, which is used from now on."""
        session = self.table.get(id)
        if not isinstance(session, StdioSession):
            return None
        self.table.used(session)
        return session

    async def open_session(self, post: Post) -> StdioSession:
        """Start a process for a session. Raises `UpstreamError`."""
        session = StdioSession(secrets.token_urlsafe(24), self._process(), self._forget)
        self._begin(session)
        try:
            await session.process.started()
        except BaseException:
            session.close()
            raise
        return session

    async def say(self, session: StdioSession, post: Post) -> Answer:
        """Write a message to the session's process. Raises `UpstreamError`."""
        message = post.message
        answer = session.expect(message, post.timeout_s) if isinstance(message, Request) else answer_of(202)
        try:
            await session.process.write(post.body, post.timeout_s)
        except BaseException:
            answer.close()
            raise
        return answer

    async def say_without_session(self, post: Post) -> Answer:
        """The answer to a message of 2026-07-28, if the server speaks that. Raises `UpstreamError`."""
        message = post.message
        version = claimed_version(message)
        if isinstance(message, Request) and version is not None:
            session = self._shared.get(post.grant) or self._share(post.grant, version)
            self.table.used(session)
            if await session.is_modern(post.timeout_s):
                return await session.ask(message, post.timeout_s)
        elif isinstance(message, Notification) and (shared := self._shared.get(post.grant)):
            await shared.tell(message, post.timeout_s)
            return answer_of(202)
        return refused_without_session(message)

    def _share(self, grant: str, version: str) -> SharedSession:
        """Start the process that a grant's agents share. Raises `UpstreamError`."""
        session = SharedSession(secrets.token_urlsafe(24), self._process(), self._forget)
        self._shared[grant] = session
        self._begin(session)
        self._tasks.spawn(session.probe(version), "probe a server's process")
        return session

    def _process(self) -> ServerProcess:
        """A process to be started at once. Raises `UpstreamError` where none may be."""
        if self._backoff.remaining_s:
            text = f"The server {self.name} failed and is not started again yet, so the call was not run."
            raise UpstreamError(Failure.DOWN, text, may_have_run=False)
        self.table.make_room()
        return ServerProcess(self.name, self._command, self.timeout_s, self._tasks)

    def _begin(self, session: StdioSession | SharedSession) -> None:
        self.table.used(session)
        self._tasks.spawn(self._run(session), "run a server's process")

    async def _run(self, session: StdioSession | SharedSession) -> None:
        """See a process through, from its start to its end, which is that of its session."""
        process, started_ns = session.process, self._clock.monotonic_ns()
        try:
            await process.run(session.take)
        except UpstreamError as error:
            logger.warning("a process of the server %s: %s", self.name, error)
        finally:
            is_short = self._clock.monotonic_ns() - started_ns < MIN_LIFE_NS
            # One that we have ended is no failure for ending.
            if session.is_open and (is_short or not process.has_spoken):
                process.fail()
            session.close()

    def _forget(self, id: str) -> None:
        """A session has ended, whichever way."""
        session = self.table.get(id)
        if session is None:
            return
        self.table.forget(id)
        self._shared = {grant: shared for grant, shared in self._shared.items() if shared is not session}
        if session.process.has_failed:
            self._backoff.failed()
        elif session.process.has_spoken:
            self._backoff.succeeded()
