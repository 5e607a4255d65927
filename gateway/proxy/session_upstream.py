"""The way to a server that says everything on one stream for each session, which makes it no server of streamable HTTP.

To the relay it looks like one: the session ids that such a server would give are given here, and a session is as long
as the server's stream. `sse_upstream` and `stdio_upstream` say how sessions are opened and messages sent.
"""

import abc
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

import msgspec
import orjson

from gateway.mcp import headers as mcp_headers
from gateway.mcp.codes import INVALID_REQUEST
from gateway.mcp.message import Message, Request, claimed_version
from gateway.mcp.parse import parse_message
from gateway.proxy import reply
from gateway.proxy.server_session import ServerSession
from gateway.proxy.transfer import JSON
from gateway.proxy.upstream import Answer, Upstream

S = TypeVar("S", bound=ServerSession)


class Post(msgspec.Struct, frozen=True):
    """A message for the server."""

    message: Message
    headers: list[tuple[str, str]]
    """Those that are not between agent and gateway alone."""
    body: bytes
    grant: str
    timeout_s: float | None
    is_repeatable: bool

    @property
    def is_handshake(self) -> bool:
        """Whether it opens a session."""
        return isinstance(self.message, Request) and self.message.method == "initialize"


class SessionUpstream(Upstream, Generic[S]):
    """One MCP server with sessions of ours."""

    async def send(
        self,
        method: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        *,
        grant: str,
        timeout_s: float | None,
        is_repeatable: bool = False,
        is_listening: bool = False,
    ) -> Answer:
        """Send what an agent over streamable HTTP sends, and answer as such a server does. Raises `UpstreamError`."""
        session_id = mcp_headers.value_of(headers, mcp_headers.SESSION_ID)
        session = self.session(session_id) if session_id is not None else None
        if session_id is not None and session is None:
            return answer_of(404)
        match method, session:
            case "POST", _:
                sent = [pair for pair in headers if not _stays_here(pair[0].lower())]
                post = Post(parse_message(body or b""), sent, body or b"", grant, timeout_s, is_repeatable)
                return await self._post(session, post)
            case "GET", ServerSession():
                return answer_of(409) if session.mailbox.is_read else session.listen()
            case "DELETE", ServerSession():
                session.close()
                return answer_of(200)
            case _:
                return answer_of(405)

    async def _post(self, session: S | None, post: Post) -> Answer:
        if session is not None:
            return await self.say(session, post)
        if not post.is_handshake:
            return await self.say_without_session(post)
        session = await self.open_session(post)
        try:
            return await self.say(session, post)
        except BaseException:
            session.close()
            raise

    @abc.abstractmethod
    def session(self, id: str) -> S | None:
        """The open session with this id, which is used from now on."""

    @abc.abstractmethod
    async def open_session(self, post: Post) -> S:
        """Open a session for a handshake. Raises `UpstreamError`, and then leaves nothing behind."""

    @abc.abstractmethod
    async def say(self, session: S, post: Post) -> Answer:
        """Send a message; the answer to it, or 202 where there will be none. Raises `UpstreamError`."""

    async def say_without_session(self, post: Post) -> Answer:
        """The answer to a message that is in no session, where only `initialize` makes sense."""
        return refused_without_session(post.message)


def refused_without_session(message: Message) -> Answer:
    """What a server of the older revisions says to whoever has not initialized."""
    if isinstance(message, Request) and claimed_version(message) is not None:
        refused = reply.legacy_only(message)
        return answer_of(refused.status, refused.body)
    id = message.id if isinstance(message, Request) else None
    return answer_of(400, reply.error_body(id, INVALID_REQUEST, "This server needs a session: initialize first."))


def answer_of(status: int, message: dict[str, Any] | None = None) -> Answer:
    """What a server of streamable HTTP would answer."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"" if message is None else orjson.dumps(message)

    return Answer(status, [("Content-Type", JSON)] if message else [], chunks, lambda: None)


def _stays_here(header: str) -> bool:
    """Whether a header is between agent and gateway: servers of this kind know none of the protocol's."""
    return header.startswith(mcp_headers.PREFIX) or header == mcp_headers.LAST_EVENT_ID
