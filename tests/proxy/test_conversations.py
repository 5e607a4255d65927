"""Carrying on a conversation: the same over HTTP+SSE and over stdio."""

from typing import Any

import pytest
from aiohttp import web

from gateway.proxy import conversations
from tests.support.gateways import RunningGateway, decision_of, is_allowed, tool_call, write_event
from tests.support.sse_agent import SseAgent
from tests.support.stdio_agent import SocketAgent
from tests.support.upstream import ScriptedUpstream, open_stream
from tests.support.waiting import eventually

AgentClass = type[SseAgent] | type[SocketAgent]

NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}


@pytest.fixture(params=[SseAgent, SocketAgent])
def agent_class(request: pytest.FixtureRequest) -> AgentClass:
    """Each transport on which an agent has one stream."""
    chosen: AgentClass = request.param
    return chosen


async def say(agent: SseAgent | SocketAgent, message: Any) -> None:
    """Say something whose answer is not waited for."""
    if isinstance(agent, SseAgent):
        assert (await agent.post(message))[0] == 202
    else:
        await agent.send(message)


async def holding_calls(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """A script under which calls wait until they are released."""
    if message and message.get("method") == "tools/call":
        await server.released.wait()
    return server.default_answer(message)


async def test_requests_under_way_are_capped(
    gateway: RunningGateway, upstream: ScriptedUpstream, agent_class: AgentClass, monkeypatch: pytest.MonkeyPatch
):
    """The one too many is answered and costs nothing; what wants no answer still passes."""
    monkeypatch.setattr(conversations, "MAX_CALLS", 2)
    upstream.script = holding_calls
    async with agent_class(gateway) as agent:
        for id in (1, 2):
            await say(agent, tool_call("cancel_task", id=id))
        refused = await agent.ask(tool_call("cancel_task", id=3))
        assert (refused["id"], decision_of(refused)["rule"]) == (3, "(overloaded)")
        await say(agent, {"jsonrpc": "2.0", "method": "notifications/cancelled"})
        upstream.released.set()
        assert {(await agent.message())["id"] for _ in range(2)} == {1, 2}
        answers = [await agent.ask(tool_call("cancel_task", id=id)) for id in range(9)]
        assert [is_allowed(answer) for answer in answers] == [True] * 8 + [False]


async def test_a_server_that_ends_its_stream_is_asked_again(
    gateway: RunningGateway, upstream: ScriptedUpstream, agent_class: AgentClass, monkeypatch: pytest.MonkeyPatch
):
    """What it says on the next one arrives too; a server without one is asked only once."""
    monkeypatch.setattr(conversations, "REOPEN_S", 0.01)

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if request.method != "GET":
            return server.default_answer(message)
        asked = sum(received.method == "GET" for received in server.received)
        if asked == 3:
            return web.Response(status=405)
        response = await open_stream(request)
        await write_event(response, NOTE | {"number": asked})
        return response

    upstream.script = script
    async with agent_class(gateway) as agent:
        await agent.initialize()
        assert [(await agent.message())["number"] for _ in range(2)] == [1, 2]
        await eventually(lambda: gateway.records()[-1].get("upstream_status") == 405)
        assert "result" in await agent.ask({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert sum(received.method == "GET" for received in upstream.received) == 3


async def test_a_defect_of_ours_is_answered(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    agent_class: AgentClass,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """Whatever raises while a request is seen to, the agent gets an answer, and nothing is forwarded."""

    async def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    async with agent_class(gateway) as agent:
        with monkeypatch.context() as patched:
            patched.setattr("gateway.proxy.dispatch.Dispatch.message", broken)
            assert not is_allowed(await agent.ask(tool_call("cancel_task")))
        assert upstream.received == []
        assert is_allowed(await agent.ask(tool_call("cancel_task")))
    assert "a request in a conversation failed" in caplog.text
