"""A whole session with the client of `fastmcp` 4: URL TOKEN. Runs in the client's own environment."""

import asyncio
import sys

from fastmcp import Client
from fastmcp.client.transports import StreamableHttpTransport


async def main(url: str, token: str) -> None:
    """List, call, and leave."""
    async with Client(StreamableHttpTransport(url, headers={"Authorization": f"Bearer {token}"})) as client:
        await client.list_tools()
        for _ in range(20):
            await client.call_tool("cancel_task", {"task_id": "none"}, raise_on_error=False)


asyncio.run(main(*sys.argv[1:]))
