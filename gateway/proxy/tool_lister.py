"""Lists a server's tools as a client of our own: in a session that is ended with DELETE, or without one.

No agent's request comes here. `gateway scan` and `gateway pin` call it, and what must know a server's tools before
an agent asks.
The server may be of any revision, and is trusted with nothing: pages, tools, bytes and time are bounded.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson

from gateway import __version__
from gateway.errors import GatewayError
from gateway.mcp import headers as mcp_headers
from gateway.mcp import sse, strict_json
from gateway.mcp.message import PROTOCOL_VERSION_KEY
from gateway.mcp.strict_json import StrictJsonError
from gateway.mcp.versions import FIRST_MODERN, HANDSHAKE_VERSIONS
from gateway.proxy.transfer import EVENT_STREAM, JSON
from gateway.proxy.upstream import Answer, Failure, Upstream, UpstreamError

MAX_PAGES: Final = 100
MAX_TOOLS: Final = 5000
MAX_PAGE_BYTES: Final = 16 << 20
TIMEOUT_S: Final = 60.0

_META: Final = "io.modelcontextprotocol/"
_CLIENT: Final = {"name": "mcp-policy-gateway", "version": __version__}
# The gateway's own look shares nothing with an agent's; no grant has an empty label.
_NO_GRANT: Final = ""
_ENDING_S: Final = 5.0
_REASONS: Final = {
    Failure.DOWN: "the server cannot be reached",
    Failure.TIMEOUT: "the server stopped answering",
    Failure.BROKEN: "the server broke the answer off, or sent more than is taken",
}


class ListingError(GatewayError):
    """A server's tools could not be listed. The text says why, without the server's own words."""


async def list_tools(upstream: Upstream, *, timeout_s: float = TIMEOUT_S) -> list[dict[str, Any]]:
    """Every entry of every page of `tools/list` that has a name, as the server sent it, in its order.

    `initialize` is tried first, because servers with sessions may keep one for each request without. Raises
    `ListingError`, also when it takes longer than `timeout_s`.
    """
    client = _Client(upstream, timeout_s)
    try:
        async with asyncio.timeout(timeout_s):
            async with client.session():
                return await client.all_pages()
    except TimeoutError:
        raise ListingError(f"The server {upstream.name} did not list its tools within {timeout_s:g} s.") from None
    except UpstreamError as error:
        raise ListingError(f"The tools of {upstream.name} cannot be listed: {_REASONS[error.failure]}.") from None
    except sse.EventTooLargeError as error:
        raise ListingError(str(error)) from None


class _Client:
    """One conversation with a server."""

    def __init__(self, upstream: Upstream, timeout_s: float) -> None:
        self._upstream = upstream
        self._timeout_s = timeout_s
        self._headers: list[tuple[str, str]] = []
        self._meta: dict[str, Any] = {}
        self._last_id = 0

    @contextlib.asynccontextmanager
    async def session(self) -> AsyncIterator[None]:
        """A session, where the server has such; it is ended whatever happens in it."""
        answer = await self._send(self._request("initialize", _handshake()))
        try:
            session_ids = answer.session_ids
            result = await self._result(answer)
        finally:
            answer.close()
        if result is None:
            # A server of 2026-07-28 alone, which wants every request to say so.
            self._headers = [("MCP-Protocol-Version", FIRST_MODERN), ("Mcp-Method", "tools/list")]
            self._meta = {"_meta": _modern_meta()}
            yield
            return
        version = result.get("protocolVersion")
        self._headers = [(mcp_headers.SESSION_ID, session_id) for session_id in session_ids[:1]]
        if version in HANDSHAKE_VERSIONS:
            self._headers.append(("MCP-Protocol-Version", version))
        try:
            (await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})).close()
            yield
        finally:
            if session_ids:
                await self._end()

    async def all_pages(self) -> list[dict[str, Any]]:
        """The tools, page by page. Raises `ListingError` and `UpstreamError`."""
        tools: list[dict[str, Any]] = []
        cursors: set[str] = set()
        params: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            page = await self._page(params)
            tools += _entries(page)
            if len(tools) > MAX_TOOLS:
                raise ListingError(f"The server {self._upstream.name} lists more than {MAX_TOOLS} tools.")
            cursor = page.get("nextCursor")
            if not isinstance(cursor, str):
                return tools
            if cursor in cursors:
                raise ListingError(f"The server {self._upstream.name} lists the same page again and again.")
            cursors.add(cursor)
            params = {"cursor": cursor}
        raise ListingError(f"The server {self._upstream.name} lists its tools on more than {MAX_PAGES} pages.")

    async def _page(self, params: dict[str, Any]) -> dict[str, Any]:
        answer = await self._send(self._request("tools/list", params | self._meta))
        try:
            page = await self._result(answer)
        finally:
            answer.close()
        if page is None:
            raise ListingError(f"The server {self._upstream.name} refused to list its tools (HTTP {answer.status}).")
        return page

    def _request(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        self._last_id += 1
        return {"jsonrpc": "2.0", "id": self._last_id, "method": method, "params": params}

    async def _send(self, message: dict[str, Any]) -> Answer:
        ours = [("Content-Type", JSON), ("Accept", f"{JSON}, {EVENT_STREAM}")]
        body = orjson.dumps(message)
        return await self._upstream.send(
            "POST", [*ours, *self._headers], body, grant=_NO_GRANT, timeout_s=self._timeout_s
        )

    async def _end(self) -> None:
        """End the session. A server that does not let us has said so, and nobody is the worse for it."""
        with contextlib.suppress(UpstreamError, TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                answer = await self._upstream.send("DELETE", self._headers, None, grant=_NO_GRANT, timeout_s=_ENDING_S)
                answer.close()

    async def _result(self, answer: Answer) -> dict[str, Any] | None:
        """The result of the last request; None where the server refused it. Raises `ListingError`."""
        if answer.is_encoded:
            raise ListingError(f"The server {self._upstream.name} sent an encoded answer.")
        messages = _events(answer) if answer.media_type == EVENT_STREAM else _body(answer)
        async for text in messages:
            message = self._read(text)
            if message is None or message.get("id") != self._last_id or "method" in message:
                continue
            result = message.get("result")
            return result if isinstance(result, dict) else None
        return None

    def _read(self, text: bytes) -> dict[str, Any] | None:
        try:
            message = strict_json.load(text)
        except StrictJsonError as error:
            raise ListingError(f"The server {self._upstream.name} sent what cannot be read: {error}") from None
        return message if isinstance(message, dict) else None


async def _events(answer: Answer) -> AsyncIterator[bytes]:
    """The messages of a stream, which may hold others before the one that is awaited."""
    splitter = sse.EventSplitter(MAX_PAGE_BYTES)
    left = MAX_PAGE_BYTES
    async for chunk in answer.chunks():
        left -= len(chunk)
        if left < 0:
            raise ListingError(f"The server sent more than {MAX_PAGE_BYTES} bytes in place of one page.")
        for event in splitter.feed(chunk):
            if data := sse.event_data(event):
                yield data


async def _body(answer: Answer) -> AsyncIterator[bytes]:
    body = await answer.read(MAX_PAGE_BYTES)
    if answer.media_type == JSON and body:
        yield body


def _entries(page: dict[str, Any]) -> list[dict[str, Any]]:
    entries = page.get("tools")
    if not isinstance(entries, list):
        raise ListingError("The server sent a list of tools that is no array.")
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]


def _handshake() -> dict[str, Any]:
    return {"protocolVersion": HANDSHAKE_VERSIONS[-1], "capabilities": {}, "clientInfo": _CLIENT}


def _modern_meta() -> dict[str, Any]:
    return {
        PROTOCOL_VERSION_KEY: FIRST_MODERN,
        f"{_META}clientCapabilities": {},
        f"{_META}clientInfo": _CLIENT,
    }
