"""An agent on the official client of `mcp` 1: WHERE TOKEN TRANSPORT, where the transport is `http` or `sse`, and steps
on standard input.

WHERE is a URL, or a command as a list in JSON, to speak to over stdio.
"""

import asyncio
import sys
from typing import Any

import scenario
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.sse import sse_client
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamablehttp_client


class Agent:
    """See `scenario.Agent`."""

    def __init__(self, client: ClientSession, initialized: types.InitializeResult) -> None:
        self._client = client
        self._initialized = initialized

    async def connection(self):
        return self._initialized.serverInfo.name, self._initialized.protocolVersion

    async def list_tools(self):
        return [tool.name for tool in (await self._client.list_tools()).tools]

    async def call_tool(self, name, arguments, on_progress=None):
        result = await self._client.call_tool(name, arguments, progress_callback=on_progress)
        return result.isError, scenario.text_of(result.content)

    async def read_resource(self, uri):
        return (await self._client.read_resource(uri)).contents[0].text

    async def get_prompt(self, name):
        return (await self._client.get_prompt(name)).messages[0].content.text


async def elicit(_context: Any, asked: types.ElicitRequestParams) -> types.ElicitResult:
    """What the user answers."""
    return types.ElicitResult(action="accept", content=scenario.filled_in(asked.requestedSchema))


async def sample(_context: Any, _asked: types.CreateMessageRequestParams) -> types.CreateMessageResult:
    """What the model answers."""
    content = types.TextContent(type="text", text=scenario.SAID)
    return types.CreateMessageResult(role="assistant", content=content, model="none")


def connect(where: str, token: str, transport: str) -> Any:
    """The way to the gateway."""
    if command := scenario.command(where):
        return stdio_client(StdioServerParameters(**command))
    client = {"http": streamablehttp_client, "sse": sse_client}[transport]
    return client(where, headers={"Authorization": f"Bearer {token}"})


async def main(where: str, token: str, transport: str) -> None:
    """Connect and do the steps."""
    async with (
        connect(where, token, transport) as (read, write, *_),
        ClientSession(read, write, sampling_callback=sample, elicitation_callback=elicit) as client,
    ):
        await scenario.run(Agent(client, await client.initialize()))


asyncio.run(main(*sys.argv[1:]))
