"""An agent on the official client of `mcp` 1 over HTTP+SSE: URL TOKEN. Prints what it saw as JSON."""

import asyncio
import json
import sys

from mcp import ClientSession
from mcp.client.sse import sse_client


async def main(url: str, token: str) -> None:
    """List, call `cancel_task` twelve times, and call another tool."""
    headers = {"Authorization": f"Bearer {token}"}
    async with sse_client(url, headers=headers) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        seen = {
            "tools": [tool.name for tool in (await session.list_tools()).tools],
            "calls": [(await session.call_tool("cancel_task", {"task_id": "none"})).isError for _ in range(12)],
            "other": (await session.call_tool("list_binaries", {})).isError,
        }
    print(json.dumps(seen))


asyncio.run(main(*sys.argv[1:]))
