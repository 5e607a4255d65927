"""What a tool of the fixture server is, and the shapes that most of them share."""

from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types
import msgspec
from mcp.server.context import ServerRequestContext

Context = ServerRequestContext[Any, Any]
Call = mcp_types.CallToolRequestParams
Result = mcp_types.CallToolResult | mcp_types.InputRequiredResult
Run = Callable[[Context, Call], Awaitable[Result]]


class FixtureTool(msgspec.Struct, frozen=True):
    """One tool. Names and behaviour are the suite's: see the description of the scenario that calls it."""

    name: str
    description: str
    run: Run
    input_schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"type": "object", "properties": {}})


def one_string(name: str, **keywords: str) -> dict[str, Any]:
    """The schema of a tool with one required string argument, which has these further schema keywords."""
    return {"type": "object", "properties": {name: {"type": "string", **keywords}}, "required": [name]}


def saying(text: str, *, is_error: bool = False) -> mcp_types.CallToolResult:
    """A result of one text."""
    return mcp_types.CallToolResult(content=[mcp_types.TextContent(text=text)], is_error=is_error)


def always(*content: mcp_types.ContentBlock, is_error: bool = False) -> Run:
    """The behaviour of a tool that answers every call alike."""

    async def run(_context: Context, _call: Call) -> Result:
        return mcp_types.CallToolResult(content=list(content), is_error=is_error)

    return run
