"""Servers as they are: BinAssistMCP's HTTP server, byte for byte, on a raw socket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest

from tests.support.gateways import ALLOW_ALL, RunningGateway, is_allowed, tool_call, write_config


class RawServer:
    """Answers every POST with bytes that the test chooses, and counts connections and requests."""

    def __init__(self) -> None:
        self.url = ""
        self.connections = 0
        self.requests = 0
        self.head = b"HTTP/1.1 200 \r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self.body = b""
        self.closes_after_answer = False
        self.closes_before_answer = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
                message = orjson.loads(await reader.readexactly(int(length.split(b":")[1])))
                self.requests += 1
                if self.closes_before_answer:
                    self.closes_before_answer = False
                    break
                body = self.body or orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
                writer.write((self.head % len(body) if b"%d" in self.head else self.head) + body)
                await writer.drain()
                if self.closes_after_answer:
                    break
        except asyncio.IncompleteReadError:
            pass
        writer.close()


@pytest.fixture
async def raw() -> AsyncIterator[RawServer]:
    """A raw server, listening."""
    server = RawServer()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/mcp"
    yield server
    listener.close()


@pytest.fixture
async def gateway(raw: RawServer, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """The gateway before it."""
    running = RunningGateway(write_config(tmp_path, raw.url, {"seed": ALLOW_ALL}))
    await running.start()
    yield running
    await running.stop()


async def test_a_status_line_without_a_reason_is_fine(gateway: RunningGateway, raw: RawServer):
    """Hypercorn sends none."""
    assert is_allowed(await gateway.call())


async def test_the_thousandth_answer_closes_its_connection(gateway: RunningGateway, raw: RawServer):
    """An answer that says both keep-alive and close is the connection's last; the next call takes a new one."""
    await gateway.call()
    raw.head = (
        b"HTTP/1.1 200 \r\nConnection: keep-alive\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    )
    raw.closes_after_answer = True
    for _ in range(3):
        assert is_allowed(await gateway.call())
    assert raw.requests == 4


async def test_a_connection_that_the_server_closed_while_idle_is_not_used(gateway: RunningGateway, raw: RawServer):
    """A server that closes after each answer without saying so costs no call."""
    raw.closes_after_answer = True
    for _ in range(20):
        assert is_allowed(await gateway.call())
        await asyncio.sleep(0)
    assert raw.requests == 20


async def test_a_reused_connection_that_breaks_loses_no_list(gateway: RunningGateway, raw: RawServer):
    """The race of a server's idle close: a list is asked for again, a call is not, since it may have run."""
    await gateway.call()
    raw.closes_before_answer = True
    _, listed = await gateway.post({"jsonrpc": "2.0", "id": 2, "method": "prompts/list"})
    assert "result" in listed
    arrived = raw.requests
    raw.closes_before_answer = True
    status, failed = await gateway.post(tool_call("cancel_task"))
    assert (status, failed["result"]["isError"]) == (200, True)
    assert "may have run" in failed["result"]["content"][0]["text"]
    assert raw.requests == arrived + 1


async def test_events_with_crlf_pass_as_they_are(gateway: RunningGateway, raw: RawServer):
    """One `message` event with CRLF line ends, as the server sends for every request."""
    raw.body = b'event: message\r\ndata: {"jsonrpc":"2.0","id":1,"result":{"content":[]}}\r\n\r\n'
    raw.head = b"HTTP/1.1 200 \r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n"
    async with gateway.client.post(gateway.url, json=tool_call("cancel_task"), headers=gateway.headers()) as response:
        assert await response.read() == raw.body
