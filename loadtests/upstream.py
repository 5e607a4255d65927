"""A fast MCP server for load: it answers at once, speaks both eras, and keeps when each grant's calls arrived.

It reads only what our gateway writes and is no MCP server for anybody else. `run` has it in its own process.
"""

import asyncio
import collections
import secrets
from typing import Any, Final, cast

import orjson

from gateway.clock import Clock, SystemClock
from loadtests.scenarios import STREAM_EVENTS, STREAM_PAUSE_S, STREAMED, TOOLS

_MODERN: Final = "2026-07-28"
_LEGACY: Final = "2025-11-25"
_VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"

_BODY_AT: Final = b"\r\n\r\n"
_JSON: Final = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_SSE: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
_LAST_CHUNK: Final = b"0\r\n\r\n"
_ACCEPTED: Final = b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
_ENDED: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_NOT_ALLOWED: Final = b"HTTP/1.1 405 Method Not Allowed\r\nAllow: POST, DELETE\r\nContent-Length: 0\r\n\r\n"

# About what a decompiled function takes.
_TEXT: Final = "int32_t rax = parse(argc, argv); if (rax != 0) return rax; " * 5
_LISTED: Final = [{"name": name, "description": "For load.", "inputSchema": {"type": "object"}} for name in TOOLS]
_CAPABILITIES: Final[dict[str, Any]] = {"tools": {}}
_INFO: Final = {"name": "load", "version": "1"}


class Arrivals:
    """What arrived, by tool and grant: the count that every verdict rests on."""

    def __init__(self, clock: Clock) -> None:
        self.times_ns = collections.defaultdict[tuple[str, str], list[int]](list)
        self.most_in_flight = collections.Counter[tuple[str, str]]()
        self.total = 0
        self.clock = clock
        self._in_flight = collections.Counter[tuple[str, str]]()

    def begin(self, tool: str, grant: str) -> None:
        """A call has arrived, and is in flight from now on."""
        key = (tool, grant)
        self.times_ns[key].append(self.clock.monotonic_ns())
        self.total += 1
        self._in_flight[key] += 1
        self.most_in_flight[key] = max(self.most_in_flight[key], self._in_flight[key])

    def end(self, tool: str, grant: str) -> None:
        """A call has been answered, or its connection was closed."""
        self._in_flight[tool, grant] -= 1


class LoadUpstream:
    """Listens on loopback between `start` and `stop`."""

    def __init__(self, *, answers_as_sse: bool = False, clock: Clock | None = None) -> None:
        """`answers_as_sse`: each answer is a stream of one event, as BinAssistMCP has it."""
        self.arrivals = Arrivals(clock or SystemClock())
        self.answers_as_sse = answers_as_sse
        self.connections = set[asyncio.Transport]()

    async def start(self) -> None:
        """Listen; `url` is known afterwards."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Connection(self), "127.0.0.1", 0, backlog=1024)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/mcp"

    async def stop(self) -> None:
        """Stop listening and close every connection."""
        self._server.close()
        for transport in tuple(self.connections):
            transport.abort()
        await self._server.wait_closed()

    def result(self, message: Any) -> dict[str, Any] | None:
        """The result for a request; None for a method that is not known."""
        params = message.get("params") or {}
        is_modern = params.get("_meta", {}).get(_VERSION_KEY) == _MODERN
        complete = {"resultType": "complete"} if is_modern else {}
        lasting = {"ttlMs": 60_000, "cacheScope": "public"} if is_modern else {}
        match message["method"]:
            case "initialize":
                return {"protocolVersion": _LEGACY, "capabilities": _CAPABILITIES, "serverInfo": _INFO}
            case "server/discover":
                versions = {"supportedVersions": [_MODERN, _LEGACY], "capabilities": _CAPABILITIES}
                return complete | lasting | versions | {"_meta": {"io.modelcontextprotocol/serverInfo": _INFO}}
            case "tools/list":
                return complete | lasting | {"tools": _LISTED}
            case "tools/call":
                return complete | {"content": [{"type": "text", "text": _TEXT}], "isError": False}
            case "ping":
                return complete
            case _:
                return None


class _Connection(asyncio.Protocol):
    """One connection of the gateway's; requests on it are answered one after the other."""

    def __init__(self, upstream: LoadUpstream) -> None:
        self._upstream = upstream
        self._received = b""
        self._streamed: tuple[str, str] | None = None
        """The call that is being answered slowly."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports derive from a class of its own.
        self._transport = cast("asyncio.Transport", transport)
        self._upstream.connections.add(self._transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Forget it."""
        self._upstream.connections.discard(self._transport)
        if self._streamed:
            self._upstream.arrivals.end(*self._streamed)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is there in full."""
        self._received += data
        while self._streamed is None and (end := self._received.find(_BODY_AT)) >= 0:
            head, start = self._received[:end].lower(), end + len(_BODY_AT)
            stop = start + int(_header(head, b"content-length") or 0)
            if len(self._received) < stop:
                return
            body, self._received = self._received[start:stop], self._received[stop:]
            self._answer(head, body)

    def _answer(self, head: bytes, body: bytes) -> None:
        if not head.startswith(b"post "):
            self._transport.write(_ENDED if head.startswith(b"delete ") else _NOT_ALLOWED)
            return
        message = orjson.loads(body)
        if "id" not in message:
            self._transport.write(_ACCEPTED)
            return
        if message["method"] != "tools/call":
            self._send(self._reply(message), self._opening(message))
            return
        call = message["params"]["name"], str(message["params"].get("arguments", {}).get("agent"))
        self._upstream.arrivals.begin(*call)
        if call[0] == STREAMED:
            self._streamed = call
            self._transport.write(_SSE + b"\r\n")
            self._continue(message, 0)
            return
        self._send(self._reply(message))
        self._upstream.arrivals.end(*call)

    def _reply(self, message: Any) -> bytes:
        result = self._upstream.result(message)
        error = {"error": {"code": -32601, "message": "Method not found"}}
        return orjson.dumps({"jsonrpc": "2.0", "id": message["id"]} | (error if result is None else {"result": result}))

    def _opening(self, message: Any) -> bytes:
        """The header that opens a session."""
        is_opening = message["method"] == "initialize"
        return b"Mcp-Session-Id: %b\r\n" % secrets.token_hex(16).encode() if is_opening else b""

    def _send(self, payload: bytes, headers: bytes = b"") -> None:
        if self._upstream.answers_as_sse:
            self._transport.write(_SSE + headers + b"\r\n" + _event(payload) + _LAST_CHUNK)
        else:
            self._transport.write(b"%b%bContent-Length: %d\r\n\r\n%b" % (_JSON, headers, len(payload), payload))

    def _continue(self, message: Any, sent: int) -> None:
        """Send the next event of a slow answer, and the answer itself after the last."""
        if self._transport.is_closing() or self._streamed is None:
            return
        if sent < STREAM_EVENTS:
            token = message["params"].get("_meta", {}).get("progressToken")
            progress = {"progressToken": token, "progress": sent + 1, "total": STREAM_EVENTS}
            notice = {"jsonrpc": "2.0", "method": "notifications/progress", "params": progress}
            self._transport.write(_event(orjson.dumps(notice)))
            asyncio.get_running_loop().call_later(STREAM_PAUSE_S, self._continue, message, sent + 1)
            return
        self._transport.write(_event(self._reply(message)) + _LAST_CHUNK)
        self._upstream.arrivals.end(*self._streamed)
        self._streamed = None
        self.data_received(b"")


def _header(head: bytes, name: bytes) -> bytes:
    """The value of a header of a head in small letters, empty where there is none."""
    return head.partition(b"\r\n%b:" % name)[2].partition(b"\r\n")[0].strip()


def _event(payload: bytes) -> bytes:
    """One chunk with one event."""
    event = b"event: message\r\ndata: %b\r\n\r\n" % payload
    return b"%x\r\n%b\r\n" % (len(event), event)
