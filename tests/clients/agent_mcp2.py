"""An agent on the official client of `mcp` 2: URL TOKEN MODE, where the mode is `auto` (modern) or `legacy`."""

import asyncio
import sys

import httpx2
import scenario
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main(url: str, token: str, mode: str) -> None:
    """Run the scenario."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}, timeout=30) as http_client,
        Client(streamable_http_client(url, http_client=http_client), mode=mode) as client,
    ):

        async def list_tools() -> list[str]:
            return [tool.name for tool in (await client.list_tools()).tools]

        async def call_tool(name: str, arguments: dict[str, object]) -> tuple[bool, str]:
            result = await client.call_tool(name, arguments)
            return result.is_error, result.content[0].text

        await scenario.run(list_tools, call_tool)


asyncio.run(main(*sys.argv[1:]))
