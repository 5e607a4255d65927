"""Runs one tool call: finds the tool, binds its arguments, shapes its result as BinAssistMCP does.

The server calls it.
"""

import json
from collections.abc import Callable, Mapping

import mcp_types

from gateway.demo import arguments, catalogue
from gateway.demo.desk import Desk
from gateway.demo.model import ToolError
from gateway.demo.tools import binaries, code, editing, functions, jobs, listings, memory

FUNCTIONS: dict[str, Callable[..., object]] = {
    **binaries.TOOLS,
    **functions.TOOLS,
    **listings.TOOLS,
    **code.TOOLS,
    **memory.TOOLS,
    **editing.TOOLS,
    **jobs.TOOLS,
}
"""Every tool's function by the name of the tool."""


def call_tool(desk: Desk, name: str, given: Mapping[str, object]) -> mcp_types.CallToolResult:
    """The result of a call. A failure, an unknown tool and bad arguments are results with `is_error`."""
    published = catalogue.TOOLS.get(name)
    if published is None:
        return _failure(f"Unknown tool: {name}")
    try:
        value = FUNCTIONS[name](desk, **arguments.bind(published.input_schema, given))
    except ToolError as error:
        return _failure(f"Error executing tool {name}: {error}")
    structured = {"result": value} if published.output_schema else None
    return mcp_types.CallToolResult(content=_content(value), structured_content=structured)


def _content(value: object) -> list[mcp_types.ContentBlock]:
    """One text block, or one for each element of a list."""
    elements = value if isinstance(value, list) else [value]
    return [mcp_types.TextContent(text=as_text(element)) for element in elements]


def as_text(value: object) -> str:
    """A string as it is, anything else as indented JSON."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _failure(text: str) -> mcp_types.CallToolResult:
    return mcp_types.CallToolResult(content=[mcp_types.TextContent(text=text)], is_error=True)
