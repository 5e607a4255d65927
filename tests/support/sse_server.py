"""An MCP server of 2024-11-05 that does what a test tells it to, and remembers what it received."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from tests.support.upstream import Received

Script = Callable[["SseServer", int, Any], Awaitable[bool]]


@dataclass
class SseServer:
    """A server on loopback. Set `script` to change what it says; it gives True for what it has seen to itself."""

    announced: str = "/messages?session={}"
    """What the `endpoint` event holds; `{}` is the number of the session."""
    received: list[Received] = field(default_factory=list)
    streams: list[web.StreamResponse] = field(default_factory=list)
    """The stream of each session, by its number."""
    left: int = 0
    """How many streams were closed from the other side."""
    script: Script | None = None
    post_status: int = 202
    released: asyncio.Event = field(default_factory=asyncio.Event)
    tools: tuple[str, ...] = ("cancel_task", "list_tasks", "get_code")

    async def start(self) -> None:
        """Listen; `url` is known afterwards."""
        application = web.Application()
        application.router.add_get("/sse", self._listen)
        application.router.add_post("/messages", self._hear)
        self._runner = web.AppRunner(application, handler_cancellation=True, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/sse"

    async def stop(self) -> None:
        """Stop listening and cut what is open."""
        await self._runner.cleanup()

    def messages(self, method: str) -> list[Any]:
        """The messages of one method that arrived."""
        posted = [received.message for received in self.received if received.body]
        return [message for message in posted if message.get("method") == method]

    async def say(self, session: int, message: Any) -> None:
        """Write a message (bytes as they are) to a session's stream, as the real server does."""
        data = message if isinstance(message, bytes) else b"data: " + orjson.dumps(message)
        await self.streams[session].write(b"event: message\r\n" + data + b"\r\n\r\n")

    def cut(self, session: int) -> None:
        """Close a session's stream in the middle."""
        transport = self.streams[session]._req.transport
        transport.abort()

    async def _listen(self, request: web.Request) -> web.StreamResponse:
        self.received.append(Received("GET", {k.lower(): v for k, v in request.headers.items()}, b""))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        self.streams.append(response)
        if self.announced:
            address = self.announced.format(len(self.streams) - 1)
            await response.write(f"event: endpoint\r\ndata: {address}\r\n\r\n".encode())
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.left += 1
            raise
        return response

    async def _hear(self, request: web.Request) -> web.Response:
        body = await request.read()
        self.received.append(Received("POST", {k.lower(): v for k, v in request.headers.items()}, body))
        if self.post_status != 202:
            return web.Response(status=self.post_status)
        session, message = int(request.query["session"]), orjson.loads(body)
        if self.script is None or not await self.script(self, session, message):
            await self._answer(session, message)
        return web.Response(status=202, text="Accepted")

    async def _answer(self, session: int, message: Any) -> None:
        """What an ordinary server says."""
        match message.get("method"):
            case "initialize":
                result: Any = {"protocolVersion": "2024-11-05", "capabilities": {}, "serverInfo": {"name": "old"}}
            case "tools/list":
                result = {"tools": [{"name": name} for name in self.tools]}
            case "tools/call":
                result = {"content": [{"type": "text", "text": f"done in {session}"}]}
            case _:
                return
        await self.say(session, {"jsonrpc": "2.0", "id": message["id"], "result": result})
