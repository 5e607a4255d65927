"""An MCP server on the official SDK of `mcp` 1: over HTTP+SSE, of which it prints the URL, or `stdio`."""

import socket
import sys

import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from pydantic import BaseModel

server = FastMCP("old")
calls = 0


class Agreement(BaseModel):
    """What a person is asked for."""

    agreed: bool


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
async def delete_all(context: Context) -> str:
    """Ask first."""
    answer = await context.elicit("Really?", Agreement)
    return answer.action


if "stdio" in sys.argv:
    server.run("stdio")
else:
    listener = socket.create_server(("127.0.0.1", 0))
    print(f"http://127.0.0.1:{listener.getsockname()[1]}/sse", flush=True)
    uvicorn.Server(uvicorn.Config(server.sse_app(), log_level="warning")).run(sockets=[listener])
