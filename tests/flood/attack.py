"""One kind of flood, in a process of its own, so that it takes nothing from whoever measures. `run` starts it.

Says when it begins and, as one line of JSON when its time is over, what became of it.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import re
import resource
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, cast

from tests.support.gateways import ACCEPT

# How many connections are being opened at a time, so that the flood is one of connections and not of lost packets.
OPENING: Final = 100
# So that what nobody reads waits in the gateway and not in the system.
SMALL_BYTES: Final = 4096
# Longer than the gateway waits for a reader.
PATIENCE_S: Final = 12
GRANTS: Final = tuple(f"hostile-{number}" for number in range(8))


class Flood:
    """Attacks one address, and counts what it meets."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._opening = asyncio.Semaphore(OPENING)
        self.met = collections.Counter[str]()

    async def connections(self, _: int) -> None:
        """Open one, and hold it without a word."""
        async with self._connection() as (reader, _writer):
            await self._read_to_the_end(reader)
        await asyncio.Event().wait()

    async def heads(self, _: int) -> None:
        """A head that comes a byte at a time, again when that is given up."""
        await self._drip(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX-Slow: ", b"a")

    async def bodies(self, number: int) -> None:
        """The same with a body, of a caller with a good token."""
        await self._drip(_head(number, 5000), b" ")

    async def deaf(self, number: int) -> None:
        """Ask for a long stream, and never read; again when that must have been given up."""
        body = _call("long_stream")
        while True:
            async with self._connection() as (_reader, writer):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BYTES)
                cast("asyncio.Transport", writer.transport).pause_reading()
                writer.write(_head(number, len(body)) + body)
                await asyncio.sleep(PATIENCE_S)

    async def pipelined(self, number: int) -> None:
        """A thousand requests at once on each connection, the last of which ends it."""
        body = _call("get_code")
        head = _head(number, len(body))
        last = head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        while True:
            async with self._connection() as (reader, writer):
                writer.write((head + body) * 999 + last + body)
                async with asyncio.timeout(10):
                    await self._read_to_the_end(reader)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        try:
            async with self._opening:
                reader, writer = await asyncio.open_connection(*self._address)
        except OSError:
            self.met["not connected"] += 1
            await asyncio.Event().wait()
        self.met["connected"] += 1
        try:
            with contextlib.suppress(ConnectionError, TimeoutError):
                yield reader, writer
        finally:
            writer.transport.abort()

    async def _drip(self, beginning: bytes, drop: bytes) -> None:
        while True:
            async with self._connection() as (reader, writer):
                writer.write(beginning)
                reading = asyncio.ensure_future(self._read_to_the_end(reader))
                try:
                    while not reading.done():
                        await asyncio.wait([reading], timeout=1)
                        writer.write(drop)
                        await writer.drain()
                finally:
                    reading.cancel()
            await asyncio.sleep(1)

    async def _read_to_the_end(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                # What is refused before it is a request is answered in HTTP/1.0.
                for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", data):
                    self.met[status.decode()] += 1
        self.met["closed"] += 1


def _call(tool: str) -> bytes:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": {}}}
    return json.dumps(message).encode()


def _head(number: int, length: int) -> bytes:
    lines = (
        "POST /mcp HTTP/1.1",
        "Host: localhost",
        f"Authorization: Bearer token-{GRANTS[number % len(GRANTS)]}",
        f"Accept: {ACCEPT}",
        "Content-Type: application/json",
        f"Content-Length: {length}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


KINDS: Final[dict[str, Callable[[Flood, int], Awaitable[None]]]] = {
    "connections": Flood.connections,
    "heads": Flood.heads,
    "bodies": Flood.bodies,
    "deaf": Flood.deaf,
    "pipelined": Flood.pipelined,
}


async def attack(kind: str, host: str, port: int, *, count: int, seconds: float) -> collections.Counter[str]:
    """So many at once for so long; what they met."""
    flood = Flood(host, port)
    attackers = [asyncio.ensure_future(KINDS[kind](flood, number)) for number in range(count)]
    await asyncio.wait(attackers, timeout=seconds)
    for attacker in attackers:
        attacker.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    return +flood.met


def main() -> None:
    """Attack as asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("seconds", type=float)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print("begun", flush=True)
    met = asyncio.run(attack(args.kind, args.host, args.port, count=args.count, seconds=args.seconds))
    print(json.dumps(met))


if __name__ == "__main__":
    main()
