"""Where the answer of one exchange goes. The relay writes to a sink and does not know the agent's transport."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

import orjson
from aiohttp import web

from gateway.proxy.reply import CLOSE, Reply

WRITE_TIMEOUT_S: Final = 10.0

# Instead of the versions that aiohttp would tell everybody.
_OURS: Final = {"Server": "mcp-policy-gateway"}


class Sink(Protocol):
    """An agent's end of one exchange. Every method raises `ConnectionError` when the agent has gone."""

    async def begin(self, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        """The server's answer begins; `length` is that of its body, where it is known."""
        ...

    async def write(self, data: bytes) -> None:
        """Some of the answer: whole events of a stream, or any piece of another body."""
        ...

    async def end(self) -> None:
        """The answer is complete."""
        ...

    def abort(self) -> None:
        """The answer cannot be completed, and must not look as if it were."""
        ...

    async def reply(self, reply: Reply) -> None:
        """An answer of our own instead of the server's."""
        ...


class HttpSink:
    """The answer to an HTTP request."""

    def __init__(self, request: web.BaseRequest, is_last: Callable[[], bool] = lambda: False) -> None:
        """`is_last` is asked when an answer begins: whether the connection ends with it."""
        self._request = request
        self._is_last = is_last
        self.response: web.StreamResponse = web.StreamResponse(headers=_OURS)
        """For the HTTP server, when the exchange is over."""

    async def begin(self, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        """Send the head at once: a stream may stay silent for long."""
        self.response.set_status(status)
        for name, value in headers:
            self.response.headers.add(name, value)
        self.response.content_length = length
        if self._is_last():
            self.response.force_close()
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Pass `data` on; an agent that does not read for `WRITE_TIMEOUT_S` is cut off."""
        async with self._within_write_timeout():
            await self.response.write(data)
            # aiohttp waits for the agent only every 64 KiB of one answer; many small ones would pile up.
            await self._request.writer.drain()

    async def end(self) -> None:
        """Finish the body."""
        async with self._within_write_timeout():
            await self.response.write_eof()
            await self._request.writer.drain()

    def abort(self) -> None:
        """Close the connection in the middle of the body."""
        if self._request.transport is not None:
            self._request.transport.abort()

    async def reply(self, reply: Reply) -> None:
        """A JSON body with a status of its own."""
        self.response = http_response(reply)
        if self._is_last():
            self.response.force_close()
        async with self._within_write_timeout():
            await self.response.prepare(self._request)
            await self.response.write_eof()
            await self._request.writer.drain()

    @contextlib.asynccontextmanager
    async def _within_write_timeout(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                yield
        except TimeoutError:
            self.abort()
            raise ConnectionAbortedError("the agent stopped reading") from None


def http_response(reply: Reply) -> web.Response:
    """An answer of our own as HTTP."""
    body = orjson.dumps(reply.body)
    response = web.Response(
        status=reply.status, body=body, headers={**_OURS, **reply.headers}, content_type="application/json"
    )
    if reply.headers.items() >= CLOSE.items():
        # The header alone would leave aiohttp waiting for the next request.
        response.force_close()
    return response
