"""An MCP server on the official SDK of `mcp` 2 over stdio, which speaks every revision."""

import asyncio
import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("new")
calls = 0


@server.tool()
def cancel_task(task_id: str) -> str:
    """Count the call."""
    global calls  # noqa: PLW0603
    calls += 1
    return f"call {calls} for {task_id}"


@server.tool()
async def analyse(context: Context) -> str:
    """Work for a while, and say how far it is."""
    for step in range(3):
        await context.report_progress(step, 3)
    return "analysed"


@server.tool()
async def wait(seconds: float) -> str:
    """Work until cancelled."""
    print("waiting", file=sys.stderr, flush=True)
    try:
        await asyncio.sleep(seconds)
    except asyncio.CancelledError:
        print("cancelled", file=sys.stderr, flush=True)
        raise
    return "waited"


@server.tool()
async def add_tool(context: Context) -> str:
    """Tell the subscribers that the list has changed."""
    await context.notify_tools_changed()
    return "added"


server.run("stdio")
