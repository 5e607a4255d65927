"""An agent over streamable HTTP in a legacy session, by hand."""

import asyncio
from typing import Any, Self

import aiohttp
import orjson

from gateway.mcp import sse
from tests.support.gateways import RunningGateway
from tests.support.sse_agent import INITIALIZE, INITIALIZED


class SessionAgent:
    """One grant's, with a session once it has initialized."""

    def __init__(self, gateway: RunningGateway, grant: str = "seed") -> None:
        self.session: dict[str, str] = {}
        """The header that names it."""
        self._gateway = gateway
        self._grant = grant

    async def post(self, message: Any, **headers: str) -> tuple[int, Any]:
        """Send a message; the status and the last message of the answer, None where there is none."""
        async with self._gateway.client.post(
            self._gateway.url,
            data=orjson.dumps(message),
            headers=self._gateway.headers(self._grant, **self.session, **headers),
        ) as response:
            if "Mcp-Session-Id" in response.headers:
                self.session = {"Mcp-Session-Id": response.headers["Mcp-Session-Id"]}
            body = await response.read()
        if response.content_type == "text/event-stream":
            data = [sse.event_data(event) for event in sse.EventSplitter(len(body)).feed(body)]
            body = next((text for text in reversed(data) if text), b"")
        return response.status, orjson.loads(body) if body else None

    async def initialize(self) -> Self:
        """Open a session."""
        self.session = {}
        status, answer = await self.post(INITIALIZE)
        assert (status, "result" in answer) == (200, True), answer
        assert (await self.post(INITIALIZED))[0] == 202
        return self

    async def listen(self) -> aiohttp.ClientResponse:
        """The answer to a GET."""
        return await self._gateway.client.get(
            self._gateway.url, headers=self._gateway.headers(self._grant, **self.session)
        )

    async def leave(self) -> int:
        """End the session; the status."""
        headers = self._gateway.headers(self._grant, **self.session)
        async with self._gateway.client.delete(self._gateway.url, headers=headers) as response:
            return response.status


async def next_message(stream: aiohttp.ClientResponse) -> Any:
    """The next message on a stream."""
    async with asyncio.timeout(5):
        while not (line := await stream.content.readline()).startswith(b"data: "):
            assert line
    return orjson.loads(line.removeprefix(b"data: "))
