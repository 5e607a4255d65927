"""The way to an MCP server of 2024-11-05, which answers on a stream of its own instead of to each POST.

To the relay it looks like a server of streamable HTTP: the session ids that such a server would give are given here,
and a session is as long as the server's stream.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import msgspec
import orjson
from yarl import URL

from gateway.mcp import headers as mcp_headers
from gateway.mcp.codes import INVALID_REQUEST
from gateway.mcp.message import Message, Request, claimed_version
from gateway.mcp.parse import parse_message
from gateway.proxy import reply
from gateway.proxy.sse_server import ServerSession
from gateway.proxy.transfer import EVENT_STREAM, JSON
from gateway.proxy.upstream import Answer, Failure, Upstream, UpstreamError
from gateway.tasks import Tasks

# Each keeps a connection to the server open. When there are as many, the one that was used longest ago ends.
MAX_SESSIONS: Final = 512
SESSION_IDLE_S: Final = 1800.0

_MAX_RECEIPT_BYTES: Final = 64 << 10


class SseUpstream(Upstream):
    """One MCP server by the URL of its stream."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        tool_timeouts_s: Mapping[str, float],
        tasks: Tasks,
    ) -> None:
        """As for `Upstream`; `tasks` runs what reads the streams."""
        super().__init__(name, url, headers, timeout_s, tool_timeouts_s)
        self._tasks = tasks
        self._sessions: dict[str, ServerSession] = {}
        """By id, the one used longest ago first."""
        self._timers: dict[str, asyncio.TimerHandle] = {}

    @property
    def sessions(self) -> int:
        """How many sessions are open: the server knows them by their streams alone."""
        return len(self._sessions)

    async def close(self) -> None:
        """End every session and close every connection."""
        for session in list(self._sessions.values()):
            session.close()
        await super().close()

    async def send(
        self,
        method: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        *,
        timeout_s: float | None,
        is_repeatable: bool = False,
        is_listening: bool = False,
    ) -> Answer:
        """Send what an agent over streamable HTTP sends, and answer as such a server does. Raises `UpstreamError`."""
        session_id = mcp_headers.value_of(headers, mcp_headers.SESSION_ID)
        session = self._sessions.get(session_id) if session_id is not None else None
        if session_id is not None and session is None:
            return _answer(404)
        match method, session:
            case "POST", _:
                sent = [pair for pair in headers if not _stays_here(pair[0].lower())]
                post = _Post(parse_message(body or b""), sent, body or b"", timeout_s, is_repeatable)
                return await self._post(session, post)
            case "GET", ServerSession():
                self._used(session)
                return _answer(409) if session.mailbox.is_read else session.listen()
            case "DELETE", ServerSession():
                session.close()
                return _answer(200)
            case _:
                return _answer(405)

    async def _post(self, session: ServerSession | None, post: "_Post") -> Answer:
        if session is not None:
            self._used(session)
            return await self._say(session, post)
        if not post.is_handshake:
            return _without_session(post.message)
        session = await self._open(post.timeout_s)
        try:
            return await self._say(session, post)
        except BaseException:
            session.close()
            raise

    async def _say(self, session: ServerSession, post: "_Post") -> Answer:
        """Post a message; the answer to it, which comes on the session's stream. Raises `UpstreamError`."""
        message = post.message
        answer = session.expect(message, post.timeout_s) if isinstance(message, Request) else _answer(202)
        try:
            receipt = await self.request(
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
                return _answer(404)
            if not 200 <= receipt.status < 300:
                text = f"The server answered with HTTP status {receipt.status}."
                raise UpstreamError(Failure.BROKEN, text, may_have_run=True)
        except BaseException:
            answer.close()
            raise
        return answer

    async def _open(self, timeout_s: float | None) -> ServerSession:
        """Open a session: its stream, and where that says to post messages. Raises `UpstreamError`."""
        url, accept = URL(self.url), [("Accept", EVENT_STREAM)]
        try:
            async with asyncio.timeout(timeout_s):
                stream = await self.request(url, "GET", accept, None, timeout_s=None, is_listening=True)
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

    def _begin(self, url: URL, stream: Answer) -> ServerSession:
        """Keep a session from here on, and read its stream. Raises `UpstreamError` when there are too many."""
        try:
            self._make_room()
        except UpstreamError:
            stream.close()
            raise
        session = ServerSession(secrets.token_urlsafe(24), url, stream, self._forget)
        self._used(session)
        self._tasks.spawn(session.run(), "read a server's stream")
        return session

    def _make_room(self) -> None:
        if len(self._sessions) < MAX_SESSIONS:
            return
        idle = next((session for session in self._sessions.values() if not session.is_busy), None)
        if idle is None:
            text = f"The server {self.name} has {MAX_SESSIONS} sessions already, so the call was not run."
            raise UpstreamError(Failure.DOWN, text, may_have_run=False)
        idle.close()

    def _used(self, session: ServerSession) -> None:
        """From here on the session may be idle for `SESSION_IDLE_S`."""
        self._forget(session)
        self._sessions[session.id] = session
        self._timers[session.id] = asyncio.get_running_loop().call_later(SESSION_IDLE_S, self._expire, session)

    def _expire(self, session: ServerSession) -> None:
        if session.is_busy:
            self._used(session)
        else:
            session.close()

    def _forget(self, session: ServerSession) -> None:
        self._sessions.pop(session.id, None)
        if timer := self._timers.pop(session.id, None):
            timer.cancel()


class _Post(msgspec.Struct, frozen=True):
    """A message to the server."""

    message: Message
    headers: list[tuple[str, str]]
    body: bytes
    timeout_s: float | None
    is_repeatable: bool

    @property
    def is_handshake(self) -> bool:
        return isinstance(self.message, Request) and self.message.method == "initialize"


def _stays_here(header: str) -> bool:
    """Whether a header is between agent and gateway: servers of 2024-11-05 know none of the protocol's."""
    return header.startswith(mcp_headers.PREFIX) or header == mcp_headers.LAST_EVENT_ID


def _without_session(message: Message) -> Answer:
    """The answer where only `initialize` makes sense."""
    if isinstance(message, Request) and claimed_version(message) is not None:
        refused = reply.legacy_only(message)
        return _answer(refused.status, refused.body)
    id = message.id if isinstance(message, Request) else None
    return _answer(400, reply.error_body(id, INVALID_REQUEST, "This server needs a session: initialize first."))


def _answer(status: int, message: dict[str, Any] | None = None) -> Answer:
    """What a server of streamable HTTP would answer."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"" if message is None else orjson.dumps(message)

    return Answer(status, [("Content-Type", JSON)] if message else [], chunks, lambda: None)
