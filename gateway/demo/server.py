"""The demo server: BinAssistMCP's tools, resources and prompts over streamable HTTP, on the official SDK.

The low-level server is used because it publishes schemas as they are given. `cli` starts it; tests serve
the same app on a free port.
"""

import ipaddress
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from typing import Any

import mcp_types
import uvicorn
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gateway.clock import Clock, SystemClock
from gateway.demo import catalogue, resources
from gateway.demo.calls import as_text, call_tool
from gateway.demo.desk import Desk, Workspaces
from gateway.demo.model import ToolError
from gateway.demo.prompts import write_prompt
from gateway.demo.tasks import TaskBoard
from gateway.errors import GatewayError

SLOW_ANALYSIS_S = 4.0
TASK_S = 30.0

# BinAssistMCP's resource and prompt failures carry this code, which its SDK gives to any exception.
_FAILED = 0

_Context = ServerRequestContext[Any, Any]
_Page = mcp_types.PaginatedRequestParams | None


class Demo:
    """The state of one server and the handlers of its MCP methods."""

    def __init__(self, *, analysis_s: float, task_s: float, clock: Clock) -> None:
        self.tasks = TaskBoard(clock, task_s=task_s)
        self.received: Counter[str] = Counter()
        """`tools/call` requests by the tool they named, run or not."""
        self._workspaces = Workspaces()
        self._analysis_s = analysis_s

    @asynccontextmanager
    async def lifespan(self, _server: Server[Any]) -> AsyncIterator[None]:
        """The time in which the server can work."""
        async with self.tasks.running():
            yield

    async def list_tools(self, _context: _Context, _page: _Page) -> mcp_types.ListToolsResult:
        """All tools on one page."""
        return mcp_types.ListToolsResult(tools=list(catalogue.TOOLS.values()))

    async def call_tool(self, context: _Context, call: mcp_types.CallToolRequestParams) -> mcp_types.CallToolResult:
        """Count the call, then run it on the one thread there is."""
        self.received[call.name] += 1
        return call_tool(self._desk(context), call.name, call.arguments or {})

    async def list_resources(self, _context: _Context, _page: _Page) -> mcp_types.ListResourcesResult:
        """Always empty: there are only templates."""
        return mcp_types.ListResourcesResult(resources=[])

    async def list_resource_templates(self, _context: _Context, _page: _Page) -> mcp_types.ListResourceTemplatesResult:
        """All templates on one page."""
        return mcp_types.ListResourceTemplatesResult(resource_templates=catalogue.RESOURCE_TEMPLATES)

    async def read_resource(
        self, context: _Context, read: mcp_types.ReadResourceRequestParams
    ) -> mcp_types.ReadResourceResult:
        """One text with JSON in it."""
        try:
            value = resources.read_resource(self._desk(context), read.uri)
        except ToolError as error:
            raise MCPError(_FAILED, str(error)) from error
        text = mcp_types.TextResourceContents(uri=read.uri, mime_type="text/plain", text=as_text(value))
        return mcp_types.ReadResourceResult(contents=[text])

    async def list_prompts(self, _context: _Context, _page: _Page) -> mcp_types.ListPromptsResult:
        """All prompts on one page."""
        return mcp_types.ListPromptsResult(prompts=list(catalogue.PROMPTS.values()))

    async def get_prompt(self, _context: _Context, get: mcp_types.GetPromptRequestParams) -> mcp_types.GetPromptResult:
        """One message from the user."""
        try:
            text = write_prompt(get.name, get.arguments or {})
        except ToolError as error:
            raise MCPError(_FAILED, str(error)) from error
        message = mcp_types.PromptMessage(role="user", content=mcp_types.TextContent(text=text))
        return mcp_types.GetPromptResult(messages=[message])

    async def count_calls(self, request: Request) -> JSONResponse:
        """`{tool: number of calls received}`, for callers on this machine."""
        if request.client is None or not ipaddress.ip_address(request.client.host).is_loopback:
            return JSONResponse({"error": "only for callers on the machine itself"}, status_code=403)
        return JSONResponse(dict(self.received))

    def _desk(self, context: _Context) -> Desk:
        # Since 2026-07-28 the protocol has no sessions; an id sent all the same means nothing.
        session_id = None
        if context.request is not None and context.protocol_version in HANDSHAKE_PROTOCOL_VERSIONS:
            session_id = context.request.headers.get("mcp-session-id")
        return Desk(self._workspaces.of(session_id), self.tasks, self._analysis_s)


def build_app(
    *,
    host: str = "127.0.0.1",
    analysis_s: float = 0.0,
    task_s: float = TASK_S,
    clock: Clock | None = None,
) -> Starlette:
    """The ASGI app: MCP at `/mcp`, the count of received calls at `/debug/calls`.

    `analysis_s` is how long an analysis call blocks the thread, `task_s` how long a task runs. A loopback
    `host` makes the SDK check the Host and Origin of requests.
    """
    demo = Demo(analysis_s=analysis_s, task_s=task_s, clock=clock or SystemClock())
    server = Server(
        "BinAssistMCP",
        version=version("mcp"),
        lifespan=demo.lifespan,
        get_tool_input_schema=_input_schema,
        on_list_tools=demo.list_tools,
        on_call_tool=demo.call_tool,
        on_list_resources=demo.list_resources,
        on_list_resource_templates=demo.list_resource_templates,
        on_read_resource=demo.read_resource,
        on_list_prompts=demo.list_prompts,
        on_get_prompt=demo.get_prompt,
    )
    routes = [Route("/debug/calls", demo.count_calls, methods=["GET"])]
    return server.streamable_http_app(host=host, custom_starlette_routes=routes)


def _input_schema(name: str) -> dict[str, Any] | None:
    tool = catalogue.TOOLS.get(name)
    return tool.input_schema if tool else None


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. `GatewayError` when the address can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise GatewayError(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --host or --port"
        ) from error


def address(listener: socket.socket) -> str:
    """The URL of the MCP endpoint behind a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/mcp" if ":" in host else f"http://{host}:{port}/mcp"


def make_server(app: Starlette) -> uvicorn.Server:
    """A server for the app: `await server.serve(sockets=[listener])`, `server.should_exit = True` ends it."""
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    return uvicorn.Server(config)


def serve(host: str, port: int, slow: bool) -> None:
    """Serve until interrupted. Prints one line with the URL once connections are accepted."""
    with listen(host, port) as listener:
        app = build_app(host=host, analysis_s=SLOW_ANALYSIS_S if slow else 0.0)
        print(f"BinAssistMCP stand-in on {address(listener)}", flush=True)
        # uvicorn has shut down in good order by the time it passes the interrupt on.
        with suppress(KeyboardInterrupt):
            make_server(app).run(sockets=[listener])
