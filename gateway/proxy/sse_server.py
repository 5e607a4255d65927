"""One session on a server of 2024-11-05: its stream of events, and where that says that messages are posted.

`sse_upstream` opens sessions and posts the messages; this neither posts nor knows agents.
"""

import asyncio
import logging
import re
from collections.abc import Callable
from typing import Any, Final

import orjson
from yarl import URL

from gateway.mcp import sse
from gateway.mcp.message import Request
from gateway.proxy.server_session import ServerSession
from gateway.proxy.transfer import EVENT_STREAM, MAX_EVENT_BYTES
from gateway.proxy.upstream import Answer, Failure, UpstreamError

logger = logging.getLogger(__name__)

# Visible ASCII but for the backslash, which some readers take for a slash.
_REFERENCE: Final = re.compile(r"[!-\[\]-~]+")
_CLOSED: Final = "The server closed the session's stream; the call may have run."


class SseSession(ServerSession):
    """One session, for as long as its stream is open."""

    def __init__(self, id: str, url: URL, stream: Answer, closed: Callable[[str], None]) -> None:
        """`stream` is the server's, from `url`."""
        super().__init__(id, closed)
        self.url = url
        """Where messages are posted, once `opened` has returned."""
        self._stream = stream
        self._announced: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for something, the session's opening included."""
        return super().is_busy or not self._announced.done()

    async def run(self) -> None:
        """Read the server's stream until it ends or breaks, which is the end of the session."""
        splitter = sse.EventSplitter(MAX_EVENT_BYTES)
        try:
            _check(self._stream)
            async for chunk in self._stream.chunks():
                for event in splitter.feed(chunk):
                    await self._take(event)
        except (UpstreamError, sse.EventTooLargeError) as error:
            if self.is_open:
                logger.warning("a session over HTTP+SSE broke: %s", error)
        finally:
            self.close()

    async def opened(self) -> None:
        """Wait for the server to say where it takes messages. Raises `UpstreamError` when it does not, or elsewhere."""
        announced = await asyncio.shield(self._announced)
        if announced is None:
            text = "The server's stream ended before a session was open, so the call was not run."
            raise UpstreamError(Failure.BROKEN, text, may_have_run=False)
        self.url = message_url(self.url, announced.decode("ascii", "replace"))

    def given_up(self, request: Request) -> None:
        """The relay tells the server, where it is to be told."""

    def ended(self, request: Request) -> UpstreamError:
        """The call may have run, as far as anybody can tell."""
        return UpstreamError(Failure.BROKEN, _CLOSED, may_have_run=True)

    def let_go(self) -> None:
        """Close the server's stream, and tell whoever waits for it to be one."""
        if not self._announced.done():
            self._announced.set_result(None)
        self._stream.close()

    async def _take(self, event: bytes) -> None:
        data = sse.event_data(event)
        match sse.event_name(event):
            case b"endpoint" if data and not self._announced.done():
                self._announced.set_result(data)
            case sse.MESSAGE if data:
                await self.sort(_read(data), data)
            case _:
                pass


def message_url(base: URL, announced: str) -> URL:
    """Where the server with its stream at `base` takes messages, by what it announced. Raises `UpstreamError`.

    A path, absolute or relative, or a whole address with exactly the scheme, host and port of `base`: a server has no
    say in which host the gateway talks to.
    """
    try:
        reference = URL(announced, encoded=True)
        is_near = _REFERENCE.fullmatch(announced) and (_is_path(reference) or _place(reference) == _place(base))
    except ValueError:
        is_near = False
    if not is_near:
        logger.warning("a server's address for messages is refused: %.200r is not at %s", announced, base.origin())
        text = "The server wants messages sent elsewhere, so the call was not run."
        raise UpstreamError(Failure.BROKEN, text, may_have_run=False)
    return base.join(reference)


def _is_path(reference: URL) -> bool:
    return not reference.scheme and not reference.raw_authority


def _place(url: URL) -> tuple[str | int | None, ...]:
    return url.scheme, url.raw_user, url.raw_password, url.raw_host, url.port


def _check(stream: Answer) -> None:
    if stream.status != 200 or stream.media_type != EVENT_STREAM or stream.is_encoded:
        text = f"The server has no stream there: HTTP status {stream.status} and {stream.media_type or 'no content'}."
        raise UpstreamError(Failure.BROKEN, text, may_have_run=False)


def _read(data: bytes) -> dict[str, Any]:
    """One message. Raises `UpstreamError`: without its id nobody could be told what became of their request."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        message = None
    if not isinstance(message, dict):
        raise UpstreamError(Failure.BROKEN, "The server sent something else than a message.", may_have_run=True)
    return message
