"""The server that the conformance suite is run against, directly and through the gateway, as an ASGI app.

Built on the official SDK's low-level server, which publishes schemas as they are given. It serves every
revision that the SDK does, with sessions and resumption in the legacy ones.
"""

from typing import Any, Final

import mcp_types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler
from mcp.shared.exceptions import MCPError
from starlette.applications import Starlette

from tests.conformance.server import asking, contents, library, rounds, streaming
from tests.conformance.server.event_store import MemoryEventStore
from tests.conformance.server.tool import Call, Context, Result, saying

NAME: Final = "conformance-fixture"
RETRY_MS: Final = 500
# Public on purpose: a gateway that filters lists has to make it private.
_CACHED: Final = CacheHint(ttl_ms=60_000, scope="public")
_COMPLETIONS: Final = ["paris", "park", "party", "test"]

_Page = mcp_types.PaginatedRequestParams | None


async def _list_resources(_context: Context, _page: _Page) -> mcp_types.ListResourcesResult:
    return mcp_types.ListResourcesResult(resources=library.RESOURCES)


async def _list_templates(_context: Context, _page: _Page) -> mcp_types.ListResourceTemplatesResult:
    return mcp_types.ListResourceTemplatesResult(resource_templates=library.TEMPLATES)


async def _read_resource(_context: Context, read: mcp_types.ReadResourceRequestParams) -> mcp_types.ReadResourceResult:
    return library.read_resource(read.uri)


async def _list_prompts(_context: Context, _page: _Page) -> mcp_types.ListPromptsResult:
    return mcp_types.ListPromptsResult(prompts=library.PROMPTS)


async def _get_prompt(_context: Context, get: mcp_types.GetPromptRequestParams) -> library.PromptResult:
    return library.get_prompt(get)


async def _complete(_context: Context, complete: mcp_types.CompleteRequestParams) -> mcp_types.CompleteResult:
    values = [value for value in _COMPLETIONS if value.startswith(complete.argument.value)]
    return mcp_types.CompleteResult(completion=mcp_types.Completion(values=values, total=len(values), has_more=False))


async def _accept(_context: Context, _params: mcp_types.RequestParams) -> mcp_types.EmptyResult:
    """The answer to requests that only have to be accepted: subscriptions and the level of logging."""
    return mcp_types.EmptyResult()


class _TaskParams(mcp_types.RequestParams):
    task_id: str


async def _no_task(_context: Context, _params: _TaskParams) -> mcp_types.EmptyResult:
    """No tool here ever becomes a task, so every id is unknown."""
    raise MCPError(mcp_types.INVALID_PARAMS, "Unknown task")


def build_app() -> Starlette:
    """The app, with MCP at `/mcp`. Host and Origin must be loopback."""
    return build_server().streamable_http_app(event_store=MemoryEventStore(), retry_interval=RETRY_MS)


def build_server() -> Server[Any]:
    """The server, without a transport."""
    bus = InMemorySubscriptionBus()
    # The first tool is called without arguments by scenarios that only need some tool.
    tools = {t.name: t for t in (*contents.TOOLS, *streaming.tools(bus), *asking.TOOLS, *rounds.TOOLS)}
    listed = [
        mcp_types.Tool(name=tool.name, description=tool.description, input_schema=tool.input_schema)
        for tool in tools.values()
    ]

    async def list_tools(_context: Context, _page: _Page) -> mcp_types.ListToolsResult:
        return mcp_types.ListToolsResult(tools=listed)

    async def call_tool(context: Context, call: Call) -> Result:
        tool = tools.get(call.name)
        return await tool.run(context, call) if tool else saying(f"Unknown tool: {call.name}", is_error=True)

    server = Server(
        NAME,
        version="1",
        cache_hints=dict.fromkeys(
            ("tools/list", "prompts/list", "resources/list", "resources/templates/list", "resources/read"), _CACHED
        ),
        get_tool_input_schema=lambda name: tools[name].input_schema if name in tools else None,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=_list_resources,
        on_list_resource_templates=_list_templates,
        on_read_resource=_read_resource,
        on_subscribe_resource=_accept,
        on_unsubscribe_resource=_accept,
        on_subscriptions_listen=ListenHandler(bus),
        on_list_prompts=_list_prompts,
        on_get_prompt=_get_prompt,
        on_completion=_complete,
    )
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        server.add_request_handler(method, _TaskParams, _no_task)
    server.add_request_handler("logging/setLevel", mcp_types.SetLevelRequestParams, _accept)
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=NAME))
    return server
