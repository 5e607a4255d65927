"""An agent on the official client of `mcp` 1: URL TOKEN."""

import asyncio
import sys

import scenario
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main(url: str, token: str) -> None:
    """Run the scenario."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        streamablehttp_client(url, headers=headers) as (read, write, _),
        ClientSession(read, write) as client,
    ):
        await client.initialize()

        async def list_tools() -> list[str]:
            return [tool.name for tool in (await client.list_tools()).tools]

        async def call_tool(name: str, arguments: dict[str, object]) -> tuple[bool, str]:
            result = await client.call_tool(name, arguments)
            return result.isError, result.content[0].text

        await scenario.run(list_tools, call_tool)


asyncio.run(main(*sys.argv[1:]))
