"""The way to an MCP server over HTTP: a connection pool and its time-outs."""

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Mapping
from typing import Final

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from gateway import __version__
from gateway.proxy.upstream import Answer, Failure, Upstream, UpstreamError

CONNECT_TIMEOUT_S: Final = 2.0
# Servers close idle connections after 5 s (hypercorn, Node); one that is reused at that moment fails.
IDLE_CONNECTION_S: Final = 3.0
MAX_CONNECTIONS: Final = 1024


class HttpUpstream(Upstream):
    """One MCP server by its URL, with the headers that are ours to send."""

    def __init__(
        self, name: str, url: str, headers: Mapping[str, str], timeout_s: float, tool_timeouts_s: Mapping[str, float]
    ) -> None:
        """As for `Upstream`; `headers` go with every request."""
        super().__init__(name, timeout_s, tool_timeouts_s)
        self.url = url
        self._headers = headers
        self._pools: dict[bool, aiohttp.ClientSession] = {}

    def open(self) -> None:
        """Make the connection pool; needs a running loop."""
        # Streams that only listen have a pool of their own, so that they never keep a call waiting.
        for is_listening in (False, True):
            self._pools[is_listening] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=MAX_CONNECTIONS, keepalive_timeout=IDLE_CONNECTION_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            )

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.close()

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
        """Send one request and wait for the answer's headers. Follows no redirect. Raises `UpstreamError`.

        Waits at most `timeout_s` for each piece of the answer, None for ever. What is repeatable is sent a second
        time when the connection breaks before any answer: servers close idle connections at any moment.
        """
        pool = self._pools[is_listening]
        try:
            return await self._send(pool, url, method, headers, body, timeout_s)
        except UpstreamError as error:
            if not is_repeatable or error.failure is not Failure.BROKEN:
                raise
        return await self._send(pool, url, method, headers, body, timeout_s)

    async def _send(
        self,
        pool: aiohttp.ClientSession,
        url: URL,
        method: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        timeout_s: float | None,
    ) -> Answer:
        sent = CIMultiDict(headers)
        sent["Accept-Encoding"] = "identity"
        sent["User-Agent"] = f"mcp-policy-gateway/{__version__}"
        sent.update(self._headers)
        # `connect` is the wait for a connection, a free place in the pool included.
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT_S, sock_read=timeout_s)
        try:
            response = await pool.request(method, url, headers=sent, data=body, timeout=timeout, allow_redirects=False)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            message = f"The server {self.name} cannot be reached ({_reason(error)}), so the call was not run."
            raise UpstreamError(Failure.DOWN, message, may_have_run=False) from None
        except TimeoutError:
            message = f"The server {self.name} did not answer within {timeout_s:g} s; the call may have run."
            raise UpstreamError(Failure.TIMEOUT, message, may_have_run=True) from None
        except (aiohttp.ClientError, OSError) as error:
            message = f"The connection to {self.name} broke ({_reason(error)}); the call may have run."
            raise UpstreamError(Failure.BROKEN, message, may_have_run=True) from None
        fields, chunks = response.headers.items(), functools.partial(_chunks, response)
        return Answer(response.status, fields, chunks, response.close, response.content_length)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except TimeoutError:
        raise UpstreamError(Failure.TIMEOUT, "The server stopped answering.", may_have_run=True) from None
    except (aiohttp.ClientError, OSError) as error:
        raise UpstreamError(Failure.BROKEN, f"The answer broke off: {_reason(error)}.", may_have_run=True) from None


def _reason(error: BaseException) -> str:
    """What went wrong in a few words, without addresses, which are not the agent's business."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return os.strerror(error.errno).lower() if error.errno else "no connection"
    return type(error).__name__
