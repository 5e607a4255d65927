"""A whole session with the official client of `mcp` 1: URL TOKEN. Runs in the client's own environment."""

import asyncio
import sys

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main(url: str, token: str) -> None:
    """List, call, and leave."""
    headers = {"Authorization": f"Bearer {token}"}
    async with streamablehttp_client(url, headers=headers) as (read, write, _), ClientSession(read, write) as client:
        await client.initialize()
        await client.list_tools()
        for _ in range(20):
            await client.call_tool("cancel_task", {"task_id": "none"})


asyncio.run(main(*sys.argv[1:]))
