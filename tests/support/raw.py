"""Requests as bytes on a socket of their own, for what no client library would send."""

import asyncio
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import orjson

from tests.support.gateways import ACCEPT, RunningGateway, tool_call

CALL: Final = orjson.dumps(tool_call("cancel_task"))


class Answered(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    """By name, in small letters."""
    body: bytes
    is_closed: bool
    """Whether the gateway closed the connection after it."""

    @property
    def message(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


class RawAgent:
    """One connection to a gateway. `async with` closes it."""

    def __init__(self, gateway: RunningGateway | str, source: str = "127.0.0.1") -> None:
        """`gateway`, or its URL; `source` is the address of loopback that the agent has."""
        url = gateway if isinstance(gateway, str) else gateway.gateway.url
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._address = parts.hostname, parts.port or 80
        self._source = source, 0

    async def __aenter__(self) -> "RawAgent":
        self._reader, self._writer = await asyncio.open_connection(*self._address, local_addr=self._source)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    def send(self, data: bytes) -> None:
        """Write, whether or not anybody reads."""
        self._writer.write(data)

    async def answer(self) -> Answered:
        """The next answer that has a length."""
        async with asyncio.timeout(10):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            body = await self._reader.readexactly(int(headers["content-length"]))
            is_closed = headers.get("connection") == "close" or head[0].startswith("HTTP/1.0")
            if is_closed:
                assert await self.rest() == b""
        return Answered(int(head[0].split()[1]), headers, body, is_closed)

    async def rest(self) -> bytes:
        """Everything until the gateway closes the connection."""
        async with asyncio.timeout(10):
            return await self._reader.read()


def post(line: str = "POST /mcp HTTP/1.1", body: bytes = CALL, *, more: bytes = b"", **changes: str | None) -> bytes:
    """A good call but for the request line, `more` headers, and `changes` to them; None leaves one out."""
    headers = {
        "Host": "127.0.0.1",
        "Authorization": "Bearer token-seed",
        "Content-Type": "application/json",
        "Accept": ACCEPT,
        "Content-Length": str(len(body)),
    }
    changed = headers | {name.replace("_", "-"): value for name, value in changes.items()}
    lines = [line, *(f"{name}: {value}" for name, value in changed.items() if value is not None)]
    return "\r\n".join(lines).encode() + b"\r\n" + more + b"\r\n" + body
