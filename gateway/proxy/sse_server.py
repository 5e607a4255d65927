"""One session on a server of 2024-11-05: its stream, who waits for which answer on it, and what nobody asked for.

Everything that such a server says comes on one stream and is told apart here, by the ids of the requests.
`sse_upstream` opens sessions and posts the messages; this neither posts nor knows agents.
"""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import orjson
from yarl import URL

from gateway.mcp import headers as mcp_headers
from gateway.mcp import sse
from gateway.mcp.message import MessageId, Request
from gateway.proxy.mailbox import Mailbox
from gateway.proxy.transfer import EVENT_STREAM, MAX_EVENT_BYTES
from gateway.proxy.upstream import Answer, Failure, UpstreamError

logger = logging.getLogger(__name__)

# Visible ASCII but for the backslash, which some readers take for a slash.
_REFERENCE: Final = re.compile(r"[!-\[\]-~]+")
_EVENTS: Final = [("Content-Type", EVENT_STREAM), ("Cache-Control", "no-cache")]
_CLOSED: Final = "The server closed the session's stream; the call may have run."


class ServerSession:
    """One session, for as long as its stream is open."""

    def __init__(self, id: str, url: URL, stream: Answer, closed: Callable[["ServerSession"], None]) -> None:
        """`stream` is the server's, from `url`; `closed` is told when the session ends, whichever way."""
        self.id = id
        """Ours: the server has no say in it."""
        self.url = url
        """Where messages are posted, once `opened` has returned."""
        self.mailbox = Mailbox()
        self._stream = stream
        self._closed = closed
        self._announced: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting: dict[MessageId, asyncio.Future[bytes | None]] = {}
        self._is_open = True

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for something, the session's opening included."""
        return bool(self._waiting) or self.mailbox.is_read or not self._announced.done()

    async def run(self) -> None:
        """Read the server's stream until it ends or breaks, which is the end of the session."""
        splitter = sse.EventSplitter(MAX_EVENT_BYTES)
        try:
            _check(self._stream)
            async for chunk in self._stream.chunks():
                for event in splitter.feed(chunk):
                    await self._take(event)
        except (UpstreamError, sse.EventTooLargeError) as error:
            if self._is_open:
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

    def expect(self, request: Request, timeout_s: float | None) -> Answer:
        """The answer to a request that is about to be posted; to be closed if that fails.

        That to `initialize` names the session, as a server of streamable HTTP would.
        """
        waiting: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = waiting

        def forget() -> None:
            if self._waiting.get(request.id) is waiting:
                del self._waiting[request.id]

        async def chunks() -> AsyncIterator[bytes]:
            try:
                async with asyncio.timeout(timeout_s):
                    # Shielded, because an agent that leaves does not end the wait of whoever reads on.
                    data = await asyncio.shield(waiting)
            except TimeoutError:
                forget()
                raise UpstreamError(Failure.TIMEOUT, "The server did not answer in time.", may_have_run=True) from None
            if data is None:
                raise UpstreamError(Failure.BROKEN, _CLOSED, may_have_run=True)
            yield sse.encode_event(data)

        session_id = [(mcp_headers.SESSION_ID, self.id)] if request.method == "initialize" else []
        return Answer(200, [*_EVENTS, *session_id], chunks, forget)

    def listen(self) -> Answer:
        """What the server says of its own accord, until the session ends."""
        events = self.mailbox.read()
        return Answer(200, _EVENTS, lambda: events, self.mailbox.release)

    def close(self) -> None:
        """End the session: whoever waits is told, and the server's stream is closed."""
        if not self._is_open:
            return
        self._is_open = False
        waiting = [self._announced, *self._waiting.values()]
        self._waiting.clear()
        for future in waiting:
            if not future.done():
                future.set_result(None)
        self.mailbox.close()
        self._stream.close()
        self._closed(self)

    async def _take(self, event: bytes) -> None:
        data = sse.event_data(event)
        match sse.event_name(event):
            case b"endpoint" if data and not self._announced.done():
                self._announced.set_result(data)
            case sse.MESSAGE if data:
                await self._sort(data)
            case _:
                pass

    async def _sort(self, data: bytes) -> None:
        """One message: an answer to whoever waits for it, anything else to the mailbox. Raises `UpstreamError`."""
        message = _read(data)
        if "method" in message:
            await self.mailbox.put(sse.encode_event(data))
            return
        id = message.get("id")
        # By exact type: 1.0 and true are the same key as 1 to Python.
        waiting = self._waiting.pop(id, None) if type(id) is int or type(id) is str else None
        if waiting is None or waiting.done():
            logger.debug("a server answered what nobody asked, or no longer waits for")
        else:
            waiting.set_result(data)


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
