"""The way to an MCP server of 2024-11-05, which answers on a stream of its own instead of to each POST."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Final

from yarl import URL

from gateway.mcp.message import Request
from gateway.proxy.breaker import Breaker
from gateway.proxy.http_upstream import HttpUpstream
from gateway.proxy.session_table import SessionTable
from gateway.proxy.session_upstream import Post, SessionUpstream, answer_of
from gateway.proxy.sse_server import SseSession
from gateway.proxy.transfer import EVENT_STREAM
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from gateway.tasks import Tasks

# Each keeps a connection to the server open.
MAX_SESSIONS: Final = 512

_MAX_RECEIPT_BYTES: Final = 64 << 10


class SseUpstream(SessionUpstream[SseSession]):
    """One MCP server by the URL of its stream."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        tool_timeouts_s: Mapping[str, float],
        tasks: Tasks,
        breaker: Breaker | None = None,
    ) -> None:
        """As for `HttpUpstream`; `tasks` runs what reads the streams."""
        super().__init__(name, timeout_s, tool_timeouts_s)
        self.http = HttpUpstream(name, url, headers, timeout_s, tool_timeouts_s, breaker)
        """What streams and messages travel on."""
        self.table: SessionTable[SseSession] = SessionTable(name, MAX_SESSIONS)
        self._tasks = tasks

    @property
    def sessions(self) -> int:
        """How many sessions are open: the server knows them by their streams alone."""
        return len(self.table)

    @property
    def is_given_up(self) -> bool:
        """Whether the server has failed so often that only a trial is sent."""
        return self.http.is_given_up

    def open(self) -> None:
        """Make the connection pool."""
        self.http.open()

    async def close(self) -> None:
        """End every session and close every connection."""
        self.table.close()
        await self.http.close()

    async def is_reachable(self) -> bool:
        """Whether the server accepts connections."""
        return await self.http.is_reachable()

    def session(self, id: str) -> SseSession | None:
        """The open session with this id, which is used from now on."""
        session = self.table.get(id)
        if session is not None:
            self.table.used(session)
        return session

    async def say(self, session: SseSession, post: Post) -> Answer:
        """Post a message; the answer to it, which comes on the session's stream. Raises `UpstreamError`."""
        message = post.message
        answer = session.expect(message, post.timeout_s) if isinstance(message, Request) else answer_of(202)
        try:
            receipt = await self.http.request(
                session.url,
                "POST",
                post.headers,
                post.body,
                timeout_s=post.timeout_s,
                is_repeatable=post.is_repeatable,
            )
            try:
                await receipt.read(_MAX_RECEIPT_BYTES)
            finally:
                receipt.close()
            if receipt.status == 404 and not post.is_handshake:
                session.close()
                return answer_of(404)
            if not 200 <= receipt.status < 300:
                text = f"The server answered with HTTP status {receipt.status}."
                raise UpstreamError(Failure.BROKEN, text, may_have_run=True)
        except BaseException:
            answer.close()
            raise
        return answer

    async def open_session(self, post: Post) -> SseSession:
        """Open a session: its stream, and where that says to post messages. Raises `UpstreamError`."""
        url, accept = URL(self.http.url), [("Accept", EVENT_STREAM)]
        try:
            async with asyncio.timeout(post.timeout_s):
                stream = await self.http.request(url, "GET", accept, None, timeout_s=None, is_listening=True)
                session = self._begin(url, stream)
                try:
                    await session.opened()
                except BaseException:
                    session.close()
                    raise
        except TimeoutError:
            text = f"The server {self.name} opened no session in time, so the call was not run."
            raise UpstreamError(Failure.TIMEOUT, text, may_have_run=False) from None
        return session

    def _begin(self, url: URL, stream: Answer) -> SseSession:
        """Keep a session from here on, and read its stream. Raises `UpstreamError` when there are too many."""
        try:
            self.table.make_room()
        except UpstreamError:
            stream.close()
            raise
        session = SseSession(secrets.token_urlsafe(24), url, stream, self.table.forget)
        self.table.used(session)
        self._tasks.spawn(session.run(), "read a server's stream")
        return session
