"""The gateway's socket for stdio: who is let in, what the others are told, and when nobody uses it."""

import asyncio
import contextlib
import os
from pathlib import Path

import orjson
import pytest

from gateway import stdio_socket
from gateway.proxy import stdio_listener
from tests.support.gateways import ALLOW_ALL, RunningGateway, write_config
from tests.support.stdio_agent import SocketAgent, connect
from tests.support.waiting import eventually


async def told(gateway: RunningGateway, greeting: bytes) -> str:
    """The error that answers a first line, after which the connection is closed; empty where nothing is said."""
    line = await asyncio.to_thread(_told, gateway.config.state_dir, greeting)
    return str(orjson.loads(line)["error"]) if line else ""


def _told(state_dir: Path, greeting: bytes) -> bytes:
    connection = stdio_socket.connect(state_dir)
    assert connection is not None
    with connection, connection.makefile("rb") as lines:
        connection.settimeout(5)
        # What the gateway did not care to read becomes a reset, after all that it has said.
        with contextlib.suppress(ConnectionError):
            connection.sendall(greeting)
        line = lines.readline()
        with contextlib.suppress(ConnectionError):
            assert lines.read() == b""
        return line


@pytest.mark.parametrize(
    ("greeting", "error"),
    [
        (b'{"grant":"nobody"}\n', "no grant has the label 'nobody'; see `grants` in the configuration"),
        (b"{}\n", "the greeting cannot be read"),
        (b'{"grant":"seed","more":1}\n', "the greeting cannot be read"),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n', "the greeting cannot be read"),
        (b"\xff\n", "the greeting cannot be read"),
        (b"x" * (1 << 18), "the greeting cannot be read"),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_who_is_not_let_in_is_told_why(gateway: RunningGateway, greeting: bytes, error: str):
    """In one line, after which the connection ends; there is no conversation, and so no record."""
    assert (await told(gateway, greeting)).startswith(error)
    assert gateway.records() == []


async def test_another_user_is_not_let_in(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch):
    """Nor anybody of whom the system does not say who it is."""
    for uid in (os.geteuid() + 1, None):
        monkeypatch.setattr(stdio_socket, "peer_uid", lambda _, uid=uid: uid)
        assert await told(gateway, b'{"grant":"seed"}\n') == "the gateway belongs to another user"


async def test_who_says_nothing_is_not_waited_for(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch):
    """A connection without a greeting ends without a word; one that ends by itself leaves nothing behind."""
    (await connect(gateway.config.state_dir))[1].close()
    monkeypatch.setattr(stdio_listener, "GREETING_TIMEOUT_S", 0.05)
    assert await told(gateway, b'{"grant":') == ""
    await eventually(lambda: not len(gateway.gateway._stdio._connections))


async def test_a_grant_with_all_its_streams_open_is_told(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch):
    """The bound is that of every transport; another grant has its own."""
    monkeypatch.setattr("gateway.proxy.underway.MAX_STREAMS", 1)
    async with SocketAgent(gateway), SocketAgent(gateway, "other"):
        assert await told(gateway, b'{"grant":"seed"}\n') == "This grant has 1 streams open already."
        assert gateway.records()[-1]["type"] == "refusal"


async def test_nothing_is_opened_that_cannot_be_recorded(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch):
    """With the disk full there is no conversation."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.audit.journal.os.write", full)
        assert "cannot record" in await told(gateway, b'{"grant":"seed"}\n')


async def test_it_is_unused_once_nobody_has_been_there_for_a_while(gateway: RunningGateway):
    """Somebody who is connected, or comes meanwhile, puts it off."""
    async with SocketAgent(gateway):
        unused = asyncio.ensure_future(gateway.gateway.unused(0.2))
        done, _ = await asyncio.wait([unused], timeout=0.4)
        assert not done
    async with SocketAgent(gateway):
        pass
    async with asyncio.timeout(5):
        await unused


async def test_a_gateway_for_stdio_alone_has_no_listeners(tmp_path: Path):
    """Its socket is there while it runs, and gone afterwards."""
    gateway = RunningGateway(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": ALLOW_ALL}))
    await gateway.gateway.start(stdio_only=True)
    assert (gateway.gateway.runners, gateway.gateway.url) == ([], "")
    async with SocketAgent(gateway):
        pass
    await gateway.gateway.stop()
    assert not (gateway.config.state_dir / "stdio.sock").exists()
