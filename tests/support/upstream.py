"""An MCP server that does what a test tells it to, and remembers what it received."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

Script = Callable[["ScriptedUpstream", web.Request, Any], Awaitable[web.StreamResponse]]


@dataclass
class Received:
    """One request as it arrived."""

    method: str
    headers: dict[str, str]
    body: bytes

    @property
    def message(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


@dataclass
class ScriptedUpstream:
    """A server on loopback. Set `script` to change what it answers; the default behaves like an MCP server."""

    tools: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"name": name, "inputSchema": {"type": "object"}} for name in ("cancel_task", "list_tasks", "get_code")
        ]
    )
    received: list[Received] = field(default_factory=list)
    cancelled: int = 0
    script: Script | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)
    """For scripts that wait until the test lets them go on."""

    async def start(self, port: int = 0) -> None:
        """Listen; `url` is known afterwards."""
        application = web.Application(client_max_size=8 << 20)
        application.router.add_route("*", "/mcp", self._handle)
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/mcp"

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        await self._runner.cleanup()

    def calls(self, tool: str) -> int:
        """How many calls of `tool` arrived: the server's own count."""
        return sum(
            1
            for received in self.received
            if received.body and received.message.get("method") == "tools/call"
            if received.message["params"]["name"] == tool
        )

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.received.append(Received(request.method, {k.lower(): v for k, v in request.headers.items()}, body))
        message = orjson.loads(body) if body else None
        try:
            if self.script is not None:
                return await self.script(self, request, message)
            return self.default_answer(message)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    def default_answer(self, message: Any) -> web.Response:
        """What an ordinary server says."""
        if message is None:
            return web.Response(status=405, headers={"Allow": "POST"})
        if "id" not in message or "method" not in message:
            return web.Response(status=202)
        match message["method"]:
            case "initialize":
                result: Any = {
                    "protocolVersion": message["params"]["protocolVersion"],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "scripted", "version": "1"},
                }
                return rpc_result(message, result, headers={"Mcp-Session-Id": "upstream-session"})
            case "tools/list":
                return rpc_result(message, {"tools": self.tools, "nextCursor": "more"})
            case "resources/list":
                return rpc_result(message, {"resources": [{"uri": "a://b", "name": "b"}]})
            case "prompts/list":
                return rpc_result(message, {"prompts": [{"name": "p"}]})
            case _:
                return rpc_result(message, {"content": [{"type": "text", "text": "done"}]})


def rpc_result(message: Any, result: Any, headers: dict[str, str] | None = None) -> web.Response:
    """A JSON-RPC result as one JSON body."""
    body = orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result})
    return web.Response(body=body, content_type="application/json", headers=headers)


async def open_stream(request: web.Request) -> web.StreamResponse:
    """Begin a text/event-stream answer."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    await response.prepare(request)
    return response
