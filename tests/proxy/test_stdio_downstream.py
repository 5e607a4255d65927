"""The life of a conversation over stdio: its ends. What passes is shown in test_stdio_agents.py."""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from tests.support.gateways import ALLOW_ALL, RunningGateway, edit_config, is_allowed, modern, tool_call, write_config
from tests.support.stdio_agent import SocketAgent
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import eventually

LIST = {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}


async def holding_calls(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """A script under which calls wait until they are released."""
    if message and message.get("method") == "tools/call":
        await server.released.wait()
    return server.default_answer(message)


async def test_a_conversation_ends_with_its_grant(upstream: ScriptedUpstream, tmp_path: Path):
    """A grant that expires takes its connection along, and the server's session with it."""
    path = write_config(tmp_path, upstream.url, {"open": ALLOW_ALL})
    document = orjson.loads(path.read_bytes())
    # ManualClock stands at this instant when it is made.
    document["grants"][0]["expires"] = "2027-01-15T08:00:00.3Z"
    path.write_bytes(orjson.dumps(document))
    gateway = RunningGateway(path)
    await gateway.start()
    async with SocketAgent(gateway, "open") as agent:
        await agent.initialize()
        with pytest.raises(EOFError):
            await agent.message()
    await eventually(lambda: upstream.received[-1].method == "DELETE")
    await gateway.stop()


async def test_stopping_waits_for_the_answers_that_a_conversation_carries(upstream: ScriptedUpstream, tmp_path: Path):
    """A busy one ends after its answer, an idle one at once; a request that comes too late is told so, with its id."""
    upstream.script = holding_calls
    gateway = RunningGateway(write_config(tmp_path, upstream.url, {"open": ALLOW_ALL}))
    await gateway.start()
    async with SocketAgent(gateway, "open") as busy, SocketAgent(gateway, "open") as idle:
        await busy.initialize()
        await busy.send(tool_call("get_code"))
        await eventually(lambda: upstream.calls("get_code"))
        stopping = asyncio.ensure_future(gateway.gateway.stop())
        with pytest.raises(EOFError):
            await idle.message()
        late = await busy.ask(LIST)
        assert (late["id"], late["error"]["message"]) == (3, "The gateway is stopping; try again.")
        upstream.released.set()
        assert is_allowed(await busy.message())
        with pytest.raises(EOFError):
            await busy.message()
        async with asyncio.timeout(3):
            await stopping
    await gateway.client.close()
    assert upstream.received[-1].method == "DELETE"


async def test_what_never_ends_is_cut_when_the_gateway_stops(upstream: ScriptedUpstream, tmp_path: Path):
    """A call that outlasts the drain, and a subscription, do not hold it up."""
    upstream.script = holding_calls
    config = write_config(tmp_path, upstream.url, {"open": ALLOW_ALL})
    edit_config(config, lambda document: document.update(bounds={"drain": "100ms"}))
    gateway = RunningGateway(config)
    await gateway.start()
    async with SocketAgent(gateway, "open") as agent:
        listen = modern({"jsonrpc": "2.0", "id": "sub", "method": "subscriptions/listen"})[0]
        await agent.send(listen, tool_call("get_code"))
        await eventually(lambda: len(upstream.received) == 2)
        async with asyncio.timeout(3):
            await gateway.gateway.stop()
    await gateway.client.close()


async def test_a_defect_in_reading_a_line_does_not_end_the_session(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """It is logged, nothing is forwarded, and the next line is read."""

    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    async with SocketAgent(gateway) as agent:
        with monkeypatch.context() as patched:
            patched.setattr("gateway.proxy.stdio_downstream.parse_message", broken)
            await agent.send(tool_call("cancel_task"))
            await eventually(lambda: "a line over stdio failed" in caplog.text)
        assert is_allowed(await agent.ask(tool_call("cancel_task")))


async def test_conversations_hold_nothing_after_their_end(gateway: RunningGateway):
    """Ids, streams and tasks are given back, also where a request was cancelled before it began."""
    underway = gateway.gateway._underway
    for _ in range(3):
        async with SocketAgent(gateway) as agent:
            message, _ = modern(tool_call("cancel_task", id=7))
            cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
            await agent.send(message, cancelled)
            assert "result" in await agent.ask(LIST)
    await eventually(lambda: not underway._working)
    assert underway._ids == set()
    assert underway._streams.total() == 0
