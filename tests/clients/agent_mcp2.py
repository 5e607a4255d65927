"""An agent on the official client of `mcp` 2: WHERE TOKEN MODE TRANSPORT, where the mode is `auto` (modern) or `legacy`
and the transport `http` or `sse`, and steps on standard input.

WHERE is a URL, or a command as a list in JSON, to speak to over stdio.
"""

import asyncio
import sys
from typing import Any

import httpx2
import mcp_types
import scenario
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


class Agent:
    """See `scenario.Agent`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def connection(self):
        return self._client.server_info.name, self._client.protocol_version

    async def list_tools(self):
        return [tool.name for tool in (await self._client.list_tools()).tools]

    async def call_tool(self, name, arguments, on_progress=None):
        result = await self._client.call_tool(name, arguments, progress_callback=on_progress)
        return result.is_error, scenario.text_of(result.content)

    async def read_resource(self, uri):
        return (await self._client.read_resource(uri)).contents[0].text

    async def get_prompt(self, name):
        return (await self._client.get_prompt(name)).messages[0].content.text


async def elicit(_context: Any, asked: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
    """What the user answers."""
    return mcp_types.ElicitResult(action="accept", content=scenario.filled_in(asked.requested_schema))


async def sample(_context: Any, _asked: mcp_types.CreateMessageRequestParams) -> mcp_types.CreateMessageResult:
    """What the model answers."""
    content = mcp_types.TextContent(text=scenario.SAID)
    return mcp_types.CreateMessageResult(role="assistant", content=content, model="none")


def connect(where: str, transport: str, http_client: httpx2.AsyncClient) -> Any:
    """The way to the gateway."""
    if command := scenario.command(where):
        return stdio_client(StdioServerParameters(**command))
    if transport == "sse":
        return sse_client(where, headers={"Authorization": http_client.headers["Authorization"]})
    return streamable_http_client(where, http_client=http_client)


async def main(where: str, token: str, mode: str, transport: str) -> None:
    """Connect and do the steps."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http_client,
        Client(
            connect(where, transport, http_client),
            mode=mode,
            sampling_callback=sample,
            elicitation_callback=elicit,
        ) as client,
    ):
        await scenario.run(Agent(client))


asyncio.run(main(*sys.argv[1:]))
