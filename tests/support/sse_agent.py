"""An agent of 2024-11-05, by hand: one stream that it listens to, and a POST for each thing that it says."""

import asyncio
from typing import Any, Self

import aiohttp
import orjson

from tests.support.gateways import RunningGateway

INITIALIZE: dict[str, Any] = {
    "jsonrpc": "2.0",
    "id": "init",
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "agent", "version": "1"}},
}
INITIALIZED: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class SseAgent:
    """A session of one grant's; `async with` opens and closes its stream."""

    def __init__(self, gateway: RunningGateway, grant: str = "seed", path: str = "/sse") -> None:
        self._gateway = gateway
        self._grant = grant
        self._path = path
        self.address = ""
        """Where messages are posted, as the gateway announced it."""

    async def __aenter__(self) -> Self:
        self.stream = await self._gateway.client.get(
            self._gateway.gateway.url + self._path,
            headers={"Authorization": f"Bearer token-{self._grant}", "Accept": "text/event-stream"},
        )
        assert self.stream.status == 200
        name, self.address = await self.event()
        assert name == "endpoint"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.leave()

    def leave(self) -> None:
        """Close the stream."""
        self.stream.close()

    async def post(self, message: Any, *, grant: str = "", address: str = "", **headers: str) -> tuple[int, bytes]:
        """Say something (bytes as they are). The status and the body of the POST's own answer."""
        data = message if isinstance(message, bytes) else orjson.dumps(message)
        async with self._gateway.client.post(
            self._gateway.gateway.url + (address or self.address),
            data=data,
            headers={
                "Authorization": f"Bearer token-{grant or self._grant}",
                "Content-Type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        ) as response:
            return response.status, await response.read()

    async def event(self) -> tuple[str, str]:
        """The next event's name and data; `(":", comment)` for a comment. Raises `EOFError` at the stream's end."""
        name, data = "", []
        async with asyncio.timeout(5):
            while line := await self.stream.content.readline():
                field, _, value = line.decode().rstrip("\n").partition(": ")
                match field:
                    case "event":
                        name = value
                    case "data":
                        data.append(value)
                    case "" if value:
                        await self.stream.content.readline()
                        return ":", value
                    case _:
                        return name, "\n".join(data)
        raise EOFError

    async def message(self) -> Any:
        """The next message."""
        name, data = await self.event()
        assert name == "message"
        return orjson.loads(data)

    async def ask(self, message: Any) -> Any:
        """Send a request; the next message, which should be its answer."""
        assert await self.post(message) == (202, b"")
        return await self.message()

    async def initialize(self) -> Any:
        """Open the session at the server; the server's answer."""
        answer = await self.ask(INITIALIZE)
        assert (await self.post(INITIALIZED))[0] == 202
        return answer


async def ended(response: aiohttp.ClientResponse) -> bool:
    """Whether a stream comes to an end, whichever way."""
    try:
        async with asyncio.timeout(5):
            await response.read()
    except aiohttp.ClientError:
        return True
    return True
