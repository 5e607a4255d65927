"""An agent on the client of `fastmcp` 4: WHERE TOKEN, and steps on standard input.

WHERE is a URL, or a command as a list in JSON, to speak to over stdio.
"""

import asyncio
import sys
from typing import Any

import scenario
from fastmcp import Client
from fastmcp.client.transports import StdioTransport, StreamableHttpTransport


class Agent:
    """See `scenario.Agent`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def connection(self):
        return self._client.server_info.name, self._client.protocol_version

    async def list_tools(self):
        return [tool.name for tool in await self._client.list_tools()]

    async def call_tool(self, name, arguments, on_progress=None):
        result = await self._client.call_tool(name, arguments, progress_handler=on_progress, raise_on_error=False)
        return result.is_error, scenario.text_of(result.content)

    async def read_resource(self, uri):
        return (await self._client.read_resource(uri))[0].text

    async def get_prompt(self, name):
        return (await self._client.get_prompt(name)).messages[0].content.text


async def elicit(_message: str, _type: Any, asked: Any, _context: Any) -> dict[str, Any]:
    """What the user answers."""
    return scenario.filled_in(asked.requested_schema)


async def sample(_messages: Any, _asked: Any, _context: Any) -> str:
    """What the model answers."""
    return scenario.SAID


def transport(where: str, token: str) -> Any:
    """The way to the gateway."""
    if command := scenario.command(where):
        return StdioTransport(**command, keep_alive=False)
    return StreamableHttpTransport(where, headers={"Authorization": f"Bearer {token}"})


async def main(where: str, token: str) -> None:
    """Connect and do the steps."""
    async with Client(transport(where, token), sampling_handler=sample, elicitation_handler=elicit) as client:
        await scenario.run(Agent(client))


asyncio.run(main(*sys.argv[1:]))
