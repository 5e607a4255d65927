"""The life of a session over HTTP+SSE: its ends. What passes is shown in test_legacy_agents.py."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from gateway.proxy import sink
from tests.support.gateways import (
    ALLOW_ALL,
    RunningGateway,
    is_allowed,
    tool_call,
    write_config,
    write_event,
)
from tests.support.sse_agent import SseAgent
from tests.support.upstream import ScriptedUpstream, open_stream
from tests.support.waiting import eventually

NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}


async def holding_calls(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """A script under which calls wait until they are released."""
    if message and message.get("method") == "tools/call":
        await server.released.wait()
    return server.default_answer(message)


async def test_an_id_is_one_requests(gateway: RunningGateway, upstream: ScriptedUpstream):
    """F22: a second request with an id in flight is refused at its POST, so that no answer is taken for another's."""
    upstream.script = holding_calls
    async with SseAgent(gateway) as agent:
        assert (await agent.post(tool_call("cancel_task", id=7)))[0] == 202
        status, body = await agent.post({"jsonrpc": "2.0", "id": "7", "method": "tools/list"})
        assert (status, orjson.loads(body)["error"]["code"]) == (400, -32600)
        upstream.released.set()
        assert is_allowed(await agent.message())
        assert is_allowed(await agent.ask(tool_call("cancel_task", id=7)))


async def test_a_message_is_refused_whose_stream_ends_before_it_is_whole(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """Nothing is forwarded for an agent that can no longer hear the answer."""
    host, port = gateway.gateway.url.removeprefix("http://").split(":")
    body = orjson.dumps(tool_call("cancel_task"))
    async with SseAgent(gateway) as agent:
        reader, writer = await asyncio.open_connection(host, int(port))
        head = (
            f"POST {agent.address} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token-seed\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body[:-1])
        await eventually(lambda: gateway.connections() >= 2)
    async with asyncio.timeout(5):
        while (await agent.post(tool_call("cancel_task")))[0] != 404:
            pass
    writer.write(body[-1:])
    assert b" 404 " in await reader.readline()
    writer.close()
    assert all(b"tools/call" not in received.body for received in upstream.received)


async def test_streams_are_capped_by_grant(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch):
    """A grant with all its streams open gets 503; another has its own."""
    monkeypatch.setattr("gateway.proxy.underway.MAX_STREAMS", 1)
    async with (
        SseAgent(gateway),
        SseAgent(gateway, "other"),
        gateway.client.get(f"{gateway.gateway.url}/sse", headers=gateway.headers()) as response,
    ):
        assert response.status == 503
        assert "Retry-After" in response.headers


async def test_a_stream_ends_with_its_grant(upstream: ScriptedUpstream, tmp_path: Path):
    """A grant that expires takes its stream along, and the server's session with it."""
    path = write_config(tmp_path, upstream.url, {"open": ALLOW_ALL})
    document = orjson.loads(path.read_bytes())
    # ManualClock stands at this instant when it is made.
    document["grants"][0]["expires"] = "2027-01-15T08:00:00.3Z"
    path.write_bytes(orjson.dumps(document))
    gateway = RunningGateway(path)
    await gateway.start()
    async with SseAgent(gateway, "open") as agent:
        await agent.initialize()
        with pytest.raises((EOFError, aiohttp.ClientError)):
            await agent.event()
    await eventually(lambda: upstream.received[-1].method == "DELETE")
    await gateway.stop()


async def test_an_agent_that_stops_reading_is_cut_off(
    gateway: RunningGateway, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
):
    """It costs one time-out, then its stream and everything behind it."""
    monkeypatch.setattr(sink, "WRITE_TIMEOUT_S", 0.1)

    async def flood(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        while not server.released.is_set():
            await write_event(response, NOTE | {"params": {"text": "x" * 65536}})
        return response

    upstream.script = flood
    host, port = gateway.gateway.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as silent:
        silent.sendall(
            b"GET /sse HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer token-open\r\nAccept: */*\r\n\r\n"
        )
        silent.setblocking(False)
        head = b""
        while b"\n\n\r\n" not in head:
            head += await asyncio.get_running_loop().sock_recv(silent, 1)
        address = head.decode().rpartition("data: ")[2].splitlines()[0]
        agent = SseAgent(gateway, "open")
        assert (await agent.post(tool_call("cancel_task"), address=address))[0] == 202
        async with asyncio.timeout(5):
            while (await agent.post(tool_call("cancel_task", id=2), address=address))[0] != 404:
                pass
    upstream.released.set()


async def test_a_silent_stream_is_kept_alive(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch):
    """Comments come while nobody says anything."""
    monkeypatch.setattr(gateway.gateway._downstream._sse, "_keep_alive_s", 0.02)
    async with SseAgent(gateway) as agent:
        assert await agent.event() == (":", "keep-alive")


async def test_stopping_waits_for_the_answers_that_a_stream_carries(upstream: ScriptedUpstream, tmp_path: Path):
    """A stream with a call under way ends after its answer, one without at once, and the server's session with it."""
    upstream.script = holding_calls
    gateway = RunningGateway(write_config(tmp_path, upstream.url, {"open": ALLOW_ALL}))
    await gateway.start()
    async with SseAgent(gateway, "open") as busy, SseAgent(gateway, "open") as idle:
        await busy.initialize()
        await busy.post(tool_call("get_code"))
        await eventually(lambda: upstream.calls("get_code"))
        stopping = asyncio.ensure_future(gateway.gateway.stop())
        with pytest.raises(EOFError):
            await idle.event()
        upstream.released.set()
        assert is_allowed(await busy.message())
        with pytest.raises(EOFError):
            await busy.event()
        async with asyncio.timeout(3):
            await stopping
    await gateway.client.close()
    assert upstream.received[-1].method == "DELETE"


async def test_nothing_is_opened_that_cannot_be_recorded(gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch):
    """With the disk full there is no stream."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("gateway.audit.journal.os.write", full)
        async with gateway.client.get(f"{gateway.gateway.url}/sse", headers=gateway.headers()) as response:
            assert response.status == 503


async def test_streams_and_sessions_are_counted_while_they_last(gateway: RunningGateway):
    """One of each in the metrics, and none when the agent has gone."""

    def counted() -> list[float | None]:
        value = gateway.gateway._metrics.registry.get_sample_value
        return [value(f"mcp_gateway_{name}", {"server": "binassist"}) for name in ("streams", "sessions")]

    async with SseAgent(gateway):
        assert counted() == [1, 1]
    await eventually(lambda: counted() == [0, 0])
