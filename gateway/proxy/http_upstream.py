"""The way to an MCP server over HTTP: its connections, what goes out on them, and what each failure means."""

import asyncio
import math
import os
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Final

from yarl import URL

from gateway import __version__
from gateway.proxy.breaker import Breaker
from gateway.proxy.http_connection import BrokenConnectionError, Response
from gateway.proxy.http_pool import CONNECT_TIMEOUT_S, HttpPool, NoRoomError
from gateway.proxy.upstream import Answer, Failure, Upstream, UpstreamError

MAX_CONNECTIONS: Final = 1024

# Statuses by which a server says that it has failed itself (RFC 9110, 15.6).
_FIRST_FAILURE: Final = 500

_UNSENDABLE: Final = re.compile(rb"[\r\n\0]")


class HttpUpstream(Upstream):
    """One MCP server by its URL, with the headers that are ours to send."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        timeout_s: float,
        tool_timeouts_s: Mapping[str, float],
        breaker: Breaker | None = None,
    ) -> None:
        """As for `Upstream`; `headers` go with every request. Without a `breaker` the server is never given up."""
        super().__init__(name, timeout_s, tool_timeouts_s)
        self.url = url
        self._own_headers = _own_headers(URL(url), headers)
        self._replaced = frozenset(name.lower() for name, _ in self._own_headers)
        self._breaker = breaker
        self._pools: dict[bool, HttpPool] = {}

    @property
    def is_given_up(self) -> bool:
        """Whether the server has failed so often that only a trial is sent."""
        return self._breaker is not None and self._breaker.is_open

    def open(self) -> None:
        """Make the connection pools; needs a running loop."""
        url = URL(self.url)
        tls = ssl.create_default_context() if url.scheme == "https" else None
        # Streams that only listen have a pool of their own, so that they never keep a call waiting.
        for is_listening in (False, True):
            self._pools[is_listening] = HttpPool(url.host or "", url.port or 0, tls, most=MAX_CONNECTIONS)

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            pool.close()

    async def is_reachable(self) -> bool:
        """Whether the server accepts connections. No request is sent: servers keep a session for each one."""
        url = URL(self.url)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                _, writer = await asyncio.open_connection(url.host, url.port)
        except OSError:
            return False
        writer.close()
        return True

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
        """Send one request to the server's own URL; otherwise as `request`. Servers tell agents apart themselves."""
        return await self.request(
            URL(self.url),
            method,
            headers,
            body,
            timeout_s=timeout_s,
            is_repeatable=is_repeatable,
            is_listening=is_listening,
        )

    async def request(
        self,
        url: URL,
        method: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        *,
        timeout_s: float | None,
        is_repeatable: bool = False,
        is_listening: bool = False,
    ) -> Answer:
        """Send one request to a path of the server and wait for the answer's headers. Raises `UpstreamError`.

        Follows no redirect. Waits at most `timeout_s` for each piece of the answer, None for ever. A second time is
        sent, when the connection breaks before any answer, what is repeatable and what cannot have arrived whole:
        servers close idle connections at any moment.
        """
        request, pool = self._encode(url, method, headers, body), self._pools[is_listening]
        self._check_breaker()
        try:
            answer = await self._send(pool, request, timeout_s)
        except UpstreamError as error:
            if error.failure is not Failure.BROKEN or (error.may_have_run and not is_repeatable):
                raise
            answer = await self._send(pool, request, timeout_s)
        if not is_listening:
            self._learn(answer.status)
        return answer

    def _check_breaker(self) -> None:
        """Raises `UpstreamError` while the server is given up."""
        if self._breaker is not None and (wait_s := self._breaker.wait_s()):
            text = f"The server {self.name} has failed again and again, so the call was not run. Try again in"
            raise UpstreamError(Failure.DOWN, f"{text} {math.ceil(wait_s)} s.", may_have_run=False)

    def _learn(self, status: int) -> None:
        """An answer has begun."""
        if self._breaker is None:
            return
        if status < _FIRST_FAILURE:
            self._breaker.answered()
        else:
            self._breaker.failed()

    def _encode(self, url: URL, method: str, headers: list[tuple[str, str]], body: bytes | None) -> bytes:
        """The bytes of a request. Raises `UpstreamError` for a header that could end early."""
        fields = [*self._own_headers, *(pair for pair in headers if pair[0].lower() not in self._replaced)]
        if body is not None:
            fields.append(("Content-Length", str(len(body))))
        lines = [f"{method} {url.raw_path_qs} HTTP/1.1".encode()]
        lines += [f"{name}: {value}".encode() for name, value in fields]
        if any(map(_UNSENDABLE.search, lines)):
            text = "A header of this call cannot be sent, so the call was not run."
            raise UpstreamError(Failure.DOWN, text, may_have_run=False)
        return b"\r\n".join([*lines, b"", body or b""])

    async def _send(self, pool: HttpPool, request: bytes, timeout_s: float | None) -> Answer:
        try:
            connection = await pool.connection()
        except OSError as error:
            if self._breaker is not None and not isinstance(error, NoRoomError):
                self._breaker.failed()
            message = f"The server {self.name} cannot be reached ({_reason(error)}), so the call was not run."
            raise UpstreamError(Failure.DOWN, message, may_have_run=False) from None
        try:
            async with asyncio.timeout(timeout_s):
                response = await connection.send(request)
        except TimeoutError:
            message = f"The server {self.name} did not answer within {timeout_s:g} s; the call may have run."
            raise UpstreamError(Failure.TIMEOUT, message, may_have_run=True) from None
        except BrokenConnectionError as error:
            consequence = "the call may have run" if error.is_request_whole else "the call was not run"
            message = f"The connection to {self.name} broke ({error}); {consequence}."
            raise UpstreamError(Failure.BROKEN, message, may_have_run=error.is_request_whole) from None
        chunks = partial(_chunks, response, timeout_s)
        return Answer(response.status, response.headers, chunks, response.close, response.content_length)


def _own_headers(url: URL, chosen: Mapping[str, str]) -> list[tuple[str, str]]:
    """The headers of every request: the connection's, unless the operator has chosen another, and the operator's."""
    host = f"[{url.host}]" if ":" in (url.host or "") else url.host
    defaults = {
        "Host": f"{host}" if url.is_default_port() else f"{host}:{url.port}",
        "User-Agent": f"mcp-policy-gateway/{__version__}",
        "Accept-Encoding": "identity",
    }
    names = {name.lower() for name in chosen}
    return [*((name, value) for name, value in defaults.items() if name.lower() not in names), *chosen.items()]


async def _chunks(response: Response, timeout_s: float | None) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.chunks(timeout_s):
            yield chunk
    except TimeoutError:
        raise UpstreamError(Failure.TIMEOUT, "The server stopped answering.", may_have_run=True) from None
    except BrokenConnectionError as error:
        raise UpstreamError(Failure.BROKEN, f"The answer broke off: {error}.", may_have_run=True) from None


def _reason(error: OSError) -> str:
    """What went wrong in a few words, without addresses, which are not the agent's business."""
    if isinstance(error, TimeoutError):
        return "no connection in time"
    return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else "no connection"
