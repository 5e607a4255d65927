"""One HTTP/1.1 connection to a server, which carries one request at a time and streams the answer in.

Knows nothing of MCP, of pools and of time-outs for connecting; `http_pool` makes these and lends them out.
"""

import asyncio
import collections
from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import httptools

# What is held of an answer that nobody reads; beyond it the server has to wait.
MAX_HELD_BYTES: Final = 256 << 10
# Far more than any server of MCP sends; llhttp itself has no bound.
MAX_HEAD_BYTES: Final = 64 << 10

_SWITCHING_PROTOCOLS: Final = 101
# Below are interim answers, which announce another one.
_FIRST_FINAL: Final = 200
# Statuses after which a body without a length does not last until the connection's end (RFC 9112, 6.3).
_WITHOUT_BODY: Final = frozenset({204, 304})


class BrokenConnectionError(ConnectionError):
    """The connection ended before the answer did, or what came is not HTTP."""

    def __init__(self, reason: str, *, is_request_whole: bool) -> None:
        """`is_request_whole` is False only where the server cannot have received all of the request."""
        super().__init__(reason)
        self.is_request_whole = is_request_whole


class Response:
    """The answer to one request; the body is read once, by one reader."""

    def __init__(self, connection: "ServerConnection") -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.content_length: int | None = None
        self.is_complete = False
        """Whether all of it has arrived. It may still have to be read."""
        self._connection = connection
        self._held: collections.deque[bytes] = collections.deque()
        self._held_bytes = 0
        self._error: BrokenConnectionError | None = None
        self._arrival: asyncio.Future[None] | None = None

    async def chunks(self, timeout_s: float | None) -> AsyncIterator[bytes]:
        """The body, or what is left of it, as it arrives.

        Raises `TimeoutError` after `timeout_s` without any (None waits for ever), and `BrokenConnectionError`.
        """
        while True:
            while self._held:
                yield self._take()
            if self._error is not None:
                raise self._error
            if self.is_complete:
                return
            async with asyncio.timeout(timeout_s):
                await self._wait()

    def close(self) -> None:
        """Read no more. Unless all of it has arrived this closes the connection, which the server sees."""
        self._held.clear()
        if not self.is_complete:
            self._connection.abort()

    def arrived(self, chunk: bytes) -> None:
        """Some of the body."""
        self._held.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes > MAX_HELD_BYTES:
            self._connection.pause()
        self._wake()

    def ended(self, error: BrokenConnectionError | None = None) -> None:
        """No more will arrive."""
        self.is_complete = error is None
        self._error = error
        self._wake()

    def _take(self) -> bytes:
        chunk = self._held.popleft()
        self._held_bytes -= len(chunk)
        # A complete answer has no say in a connection that may carry another one by now.
        if self._held_bytes <= MAX_HELD_BYTES and not self.is_complete:
            self._connection.resume()
        return chunk

    def _wake(self) -> None:
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def _wait(self) -> None:
        self._arrival = asyncio.get_running_loop().create_future()
        await self._arrival


class ServerConnection(asyncio.Protocol):
    """One connection. It is lent to one request at a time, and given back as soon as the answer has arrived."""

    def __init__(self, idle: Callable[["ServerConnection"], None], closed: Callable[["ServerConnection"], None]):
        """`idle` is told each time another request could be sent, `closed` once at the end."""
        self.is_open = False
        self.idle_since = 0.0
        """On the loop's clock."""
        self._idle = idle
        self._closed = closed
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._response: Response | None = None
        """What is awaited or arrives; None while the connection is idle."""
        self._head: asyncio.Future[Response] | None = None
        self._has_head = False
        self._head_bytes = 0
        self._lasts_until_close = False
        self._is_flushed = True
        self._is_paused = False

    async def send(self, request: bytes) -> Response:
        """Send a request; the answer once its head has arrived. Raises `BrokenConnectionError`.

        Cancelling this closes the connection.
        """
        if self._transport is None or not self.is_open:
            raise BrokenConnectionError("it was closed", is_request_whole=False)
        self._response = Response(self)
        self._head = asyncio.get_running_loop().create_future()
        self._has_head, self._head_bytes = False, 0
        self._transport.write(request)
        try:
            return await self._head
        except asyncio.CancelledError:
            self.abort()
            raise

    def abort(self) -> None:
        """Close at once."""
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    def pause(self) -> None:
        """Let the server wait."""
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready for the first request."""
        # uvloop's is one by what it does, and no subclass.
        self._transport = cast("asyncio.Transport", transport)
        self.is_open = True
        # So that it is known at any time whether all of a request has been handed to the system.
        self._transport.set_write_buffer_limits(high=0)

    def data_received(self, data: bytes) -> None:
        """Some of an answer; what is none, or was not asked for, ends the connection."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self._give_up(f"the server sent no usable HTTP ({error})")
            return
        if self._response is not None and not self._has_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._give_up("the server's headers do not end")

    def eof_received(self) -> bool:
        """The server sends no more, which is how a body without a length ends."""
        if self._response is not None and self._lasts_until_close:
            self._complete(self._response, is_reusable=False)
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """The end, whoever wanted it."""
        self.is_open = False
        self._break("the server closed the connection" if exc is None else type(exc).__name__)
        self._closed(self)

    def pause_writing(self) -> None:
        """Some of the request is still with us."""
        self._is_flushed = False

    def resume_writing(self) -> None:
        """All of it has been handed to the system."""
        self._is_flushed = True

    # What the parser calls.

    def on_message_begin(self) -> None:
        """An answer begins, which nobody may have asked for."""
        if self._response is None:
            raise _UnusableError

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header; those after the body are dropped, as nobody can rely on them."""
        if self._response is not None and not self._has_head:
            self._response.headers.append((name.decode("latin-1"), value.decode("latin-1")))

    def on_headers_complete(self) -> None:
        """The head has arrived."""
        status = self._parser.get_status_code()
        if status == _SWITCHING_PROTOCOLS:
            raise _UnusableError
        response = self._response
        if response is None or status < _FIRST_FINAL:
            return
        self._has_head = True
        response.status = status
        fields = {name.lower(): value for name, value in response.headers}
        if "content-length" in fields:
            response.content_length = int(fields["content-length"])
        self._lasts_until_close = (
            "content-length" not in fields and "transfer-encoding" not in fields and status not in _WITHOUT_BODY
        )
        if self._head is not None and not self._head.done():
            self._head.set_result(response)

    def on_body(self, body: bytes) -> None:
        """Some of the body."""
        if self._response is not None:
            self._response.arrived(body)

    def on_message_complete(self) -> None:
        """All of the answer, or of an interim one, has arrived."""
        if self._response is None:
            return
        if self._has_head:
            self._complete(self._response, is_reusable=self._parser.should_keep_alive() and self._is_flushed)
        else:
            self._response.headers.clear()

    def _complete(self, response: Response, *, is_reusable: bool) -> None:
        self._response = None
        self._lasts_until_close = False
        response.ended()
        if not is_reusable or not self.is_open:
            self.abort()
            return
        self.resume()
        self.idle_since = asyncio.get_running_loop().time()
        self._idle(self)

    def _give_up(self, reason: str) -> None:
        self._break(reason)
        self.abort()

    def _break(self, reason: str) -> None:
        """Tell whoever waits."""
        error = BrokenConnectionError(reason, is_request_whole=self._is_flushed)
        response, self._response = self._response, None
        if response is not None:
            response.ended(error)
        if self._head is not None and not self._head.done():
            self._head.set_exception(error)


class _UnusableError(Exception):
    """What the parser has read cannot be used: an answer that nobody asked for, or another protocol."""
