"""Agents over stdio before servers of streamable HTTP: what passes in both eras, and what is refused how."""

import asyncio
import json
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.proxy import sink
from gateway.proxy.edge import MAX_BODY_BYTES
from tests.support.gateways import RunningGateway, decision_of, is_allowed, modern, tool_call, write_event
from tests.support.stdio_agent import SocketAgent
from tests.support.upstream import ScriptedUpstream, open_stream, rpc_result
from tests.support.waiting import eventually

PROGRESS = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}
PING = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
PONG = {"jsonrpc": "2.0", "id": 0, "result": {}}
LIST = {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}


def cancelled(id: Any) -> dict[str, Any]:
    """What an agent of either era sends to cancel a request of its own."""
    return {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": id}}


async def holding_calls(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """A script under which calls wait until they are released."""
    if message and message.get("method") == "tools/call":
        await server.released.wait()
    return server.default_answer(message)


async def test_a_legacy_session_is_the_servers_own(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Session and revision travel as headers; the end of the agent is the end of the session."""
    async with SocketAgent(gateway) as agent:
        answer = await agent.initialize()
        assert (answer["id"], answer["result"]["serverInfo"]["name"]) == ("init", "scripted")
        listed = await agent.ask(LIST)
        assert [tool["name"] for tool in listed["result"]["tools"]] == ["cancel_task"]
    await eventually(lambda: upstream.received[-1].method == "DELETE")
    first, *rest = upstream.received
    assert not {"mcp-session-id", "authorization", "mcp-method"} & set(first.headers)
    for received in rest:
        assert received.headers["mcp-session-id"] == "upstream-session"
        assert received.headers["mcp-protocol-version"] == "2025-06-18"
    assert sorted(received.method for received in rest) == ["DELETE", "GET", "POST", "POST"]


async def test_a_modern_request_has_the_headers_that_mirror_it(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Revision, method and name from the body, encoded where need be; nothing of a session that is open besides."""
    async with SocketAgent(gateway, "open") as agent:
        await agent.initialize()
        for name in ("cancel_task", "größe"):
            message, _ = modern(tool_call(name))
            assert is_allowed(await agent.ask(message))
            headers = next(
                received.headers for received in reversed(upstream.received) if b"tools/call" in received.body
            )
            assert headers["mcp-protocol-version"] == "2026-07-28"
            assert headers["mcp-method"] == "tools/call"
            assert headers["mcp-name"] == {"cancel_task": "cancel_task", "größe": "=?base64?Z3LDtsOfZQ==?="}[name]
            assert "mcp-session-id" not in headers


async def test_an_argument_travels_as_a_header_where_the_tool_asks_for_it(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """Once the agent has listed the tools, as it would have to over HTTP."""
    upstream.tools[2]["inputSchema"] = {"type": "object", "properties": {"region": {"x-mcp-header": "Region"}}}
    message, _ = modern(tool_call("get_code", {"region": "eu"}))
    async with SocketAgent(gateway, "open") as agent:
        await agent.ask(message)
        assert "mcp-param-region" not in upstream.received[-1].headers
        await agent.ask(modern(LIST)[0])
        await agent.ask(message)
        assert upstream.received[-1].headers["mcp-param-region"] == "eu"


@pytest.mark.parametrize("era", ["legacy", "modern"])
async def test_the_policy_is_the_same(gateway: RunningGateway, upstream: ScriptedUpstream, era: str):
    """Ten calls pass, the eleventh is told when; another tool is denied, and the journal says the same as over HTTP."""
    as_sent = (lambda message: modern(message)[0]) if era == "modern" else (lambda message: message)
    async with SocketAgent(gateway) as agent:
        answers = [await agent.ask(as_sent(tool_call("cancel_task", id=id))) for id in range(11)]
        assert [is_allowed(answer) for answer in answers] == [True] * 10 + [False]
        assert decision_of(answers[-1])["retry_after_ms"] > 0
        assert ("resultType" in answers[-1]["result"]) == (era == "modern")
        assert not is_allowed(await agent.ask(as_sent(tool_call("get_code"))))
        error = (await agent.ask(as_sent({"jsonrpc": "2.0", "id": "x", "method": "no/such"})))["error"]
        assert error["code"] == -32601
    assert upstream.calls("cancel_task") == 10
    decisions = [record for record in gateway.records() if record.get("method") == "tools/call"]
    assert [record["verdict"] for record in decisions] == ["allow"] * 10 + ["throttle", "deny"]
    assert {(record["grant"], record["peer"]) for record in decisions} == {("seed", "stdio")}


async def test_one_budget_for_every_transport(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Agents over HTTP and two over stdio spend on the same grant; another grant has its own."""
    async with SocketAgent(gateway) as one, SocketAgent(gateway) as two, SocketAgent(gateway, "other") as other:
        for id in range(3):
            assert is_allowed(await one.ask(tool_call("cancel_task", id=id)))
            assert is_allowed(await two.ask(tool_call("cancel_task", id=id)))
            assert is_allowed(await gateway.call(id=id))
        assert is_allowed(await one.ask(tool_call("cancel_task")))
        for agent in (one, two):
            assert not is_allowed(await agent.ask(tool_call("cancel_task")))
        assert not is_allowed(await gateway.call())
        assert is_allowed(await other.ask(tool_call("cancel_task")))
    assert upstream.calls("cancel_task") == 11


async def test_progress_and_answer_arrive_one_by_one(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Each on its line as soon as the server has said it."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await write_event(response, PROGRESS)
        await server.released.wait()
        await write_event(response, {"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
        return response

    upstream.script = script
    async with SocketAgent(gateway) as agent:
        assert await agent.ask(tool_call("cancel_task")) == PROGRESS
        upstream.released.set()
        assert await agent.message() == {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}


async def test_an_answer_of_several_lines_becomes_one(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A JSON body with line ends between its parts keeps its meaning."""
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": [], "text": "a\nb"}}

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return web.Response(text=json.dumps(answer, indent=1).replace("\n", "\r\n"), content_type="application/json")

    upstream.script = script
    async with SocketAgent(gateway) as agent:
        assert await agent.ask(tool_call("cancel_task")) == answer


async def test_a_servers_request_reaches_the_agent_and_its_answer_the_server(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """On the server's own stream and within a call alike; the agent answers while the call is under way."""
    answered = asyncio.Event()

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        match request.method, message and message.get("method"):
            case "GET", _:
                response = await open_stream(request)
                await write_event(response, PING)
                await server.released.wait()
            case "POST", "tools/call":
                response = await open_stream(request)
                await write_event(response, PING)
                await answered.wait()
                await write_event(response, {"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
            case "POST", None:
                answered.set()
                return web.Response(status=202)
            case _:
                return server.default_answer(message)
        return response

    upstream.script = script
    async with SocketAgent(gateway) as agent:
        await agent.initialize()
        assert await agent.message() == PING
        assert await agent.ask(tool_call("cancel_task")) == PING
        await agent.send(PONG)
        assert is_allowed(await agent.message())
    assert [received.message for received in upstream.received if b'"result"' in received.body] == [PONG]


async def test_a_modern_agent_cancels_at_the_server(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The stream to the server is closed, the agent gets no answer, and the id is free again; nothing is forwarded."""
    upstream.script = holding_calls
    message, _ = modern(tool_call("cancel_task", id=7))
    async with SocketAgent(gateway) as agent:
        await agent.send(message)
        await eventually(lambda: upstream.calls("cancel_task") == 1)
        # None of these is the id of a request under way.
        await agent.send(cancelled("7"), cancelled(True), cancelled(None), cancelled([]), cancelled(8))
        assert "result" in await agent.ask(LIST)
        assert upstream.cancelled == 0
        await agent.send(cancelled(7))
        await eventually(lambda: upstream.cancelled == 1)
        await eventually(lambda: "cancelled" in [record.get("outcome") for record in gateway.records()])
        upstream.released.set()
        assert is_allowed(await agent.ask(message))
    assert all(b"notifications/cancelled" not in received.body for received in upstream.received)


async def test_a_request_may_be_cancelled_in_the_same_breath(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Before it has reached the server; its id is free, and nothing of it is left behind."""
    upstream.script = holding_calls
    message, _ = modern(tool_call("cancel_task", id=7))
    async with SocketAgent(gateway) as agent:
        await agent.send(message, cancelled(7))
        assert "result" in await agent.ask(LIST)
        upstream.released.set()
        assert is_allowed(await agent.ask(message))


async def test_a_legacy_agent_cancels_by_telling_the_server(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The server decides what becomes of the call."""
    upstream.script = holding_calls
    async with SocketAgent(gateway) as agent:
        await agent.initialize()
        await agent.send(tool_call("cancel_task", id=7), cancelled(7))
        await eventually(lambda: b"notifications/cancelled" in upstream.received[-1].body)
        assert upstream.cancelled == 0
        upstream.released.set()
        assert is_allowed(await agent.message())


async def test_a_subscription_streams_until_it_is_cancelled(gateway: RunningGateway, upstream: ScriptedUpstream):
    """What the server says on it arrives; cancelling closes it there."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await write_event(response, PROGRESS)
        await server.released.wait()
        return response

    upstream.script = script
    listen, _ = modern({"jsonrpc": "2.0", "id": "sub", "method": "subscriptions/listen"})
    async with SocketAgent(gateway) as agent:
        assert await agent.ask(listen) == PROGRESS
        await agent.send(cancelled("sub"))
        await eventually(lambda: upstream.cancelled == 1)


@pytest.mark.parametrize(
    ("line", "code", "id"),
    [
        (b"{", -32700, None),
        (b"garbage \xff\x00", -32700, None),
        (b"[]", -32600, None),
        (b'{"id":1,"id":2}', -32700, None),
        (b'{"jsonrpc":"2.0","method":"ping"}', -32600, None),
        (b'{"jsonrpc":"2.0","id":5,"method":"tools/call","params":{}}', -32602, 5),
        (b'"' + b"x" * (MAX_BODY_BYTES + 1) + b'"', -32600, None),
    ],
    ids=lambda value: repr(value)[:24],
)
async def test_a_line_that_is_no_message_is_answered_and_the_session_lives_on(
    gateway: RunningGateway, upstream: ScriptedUpstream, line: bytes, code: int, id: Any
):
    """As strict as over HTTP, recorded as a refusal, and nothing of it is forwarded."""
    async with SocketAgent(gateway) as agent:
        answer = await agent.ask(line)
        assert (answer["id"], answer["error"]["code"]) == (id, code)
        assert upstream.received == []
        assert [record["type"] for record in gateway.records()] == ["decision", "refusal"]
        assert is_allowed(await agent.ask(tool_call("cancel_task")))


async def test_the_longest_line_passes(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A message of exactly the bound, both ways; empty lines are nothing."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return rpc_result(message, {"content": [], "echo": message["params"]["arguments"]})

    upstream.script = script
    call = tool_call("get_code", {"text": ""})
    call["params"]["arguments"]["text"] = "x" * (MAX_BODY_BYTES - len(orjson.dumps(call)))
    assert len(orjson.dumps(call)) == MAX_BODY_BYTES
    async with SocketAgent(gateway, "open") as agent:
        await agent.send(b"", b"  ", b"\r")
        assert (await agent.ask(call))["result"]["echo"] == call["params"]["arguments"]


async def test_an_id_is_one_requests(gateway: RunningGateway, upstream: ScriptedUpstream):
    """F22: the second is refused without that id, whose answer is yet to come; in another session it is free."""
    upstream.script = holding_calls
    async with SocketAgent(gateway) as agent, SocketAgent(gateway) as other:
        await agent.send(tool_call("cancel_task", id=7))
        refused = await agent.ask({"jsonrpc": "2.0", "id": "7", "method": "tools/list"})
        assert (refused["id"], refused["error"]["code"]) == (None, -32600)
        await other.send(tool_call("cancel_task", id=7))
        upstream.released.set()
        assert is_allowed(await agent.message())
        assert is_allowed(await other.message())


async def test_what_wants_no_answer_gets_none(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A response that has no session is recorded as refused; the next line that the agent reads is its own answer."""
    async with SocketAgent(gateway) as agent:
        await agent.send(PONG, {"jsonrpc": "2.0", "method": "notifications/odd"})
        assert "result" in await agent.ask(LIST)
    refusals = [record["reason"] for record in gateway.records() if record["type"] == "refusal"]
    assert refusals == ["envelope"]


async def test_an_agent_that_ends_drops_what_was_under_way(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A modern call is cancelled, a legacy one runs on unread, and the session is ended."""
    upstream.script = holding_calls
    async with SocketAgent(gateway) as agent:
        await agent.initialize()
        await agent.send(tool_call("cancel_task", id="old"), modern(tool_call("cancel_task", id="new"))[0])
        await eventually(lambda: upstream.calls("cancel_task") == 2)
        assert (await agent.ask(LIST))["id"] == 3
        agent.writer.write_eof()
        with pytest.raises(EOFError):
            await agent.message()
    await eventually(lambda: upstream.received[-1].method == "DELETE")
    assert upstream.cancelled == 1
    upstream.released.set()
    await eventually(lambda: {"cancelled", "abandoned"} <= {record.get("outcome") for record in gateway.records()})


async def test_an_agent_that_stops_reading_is_cut_off(
    gateway: RunningGateway, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
):
    """It costs one time-out, then its session and everything behind it; the server is held up meanwhile, not us."""
    monkeypatch.setattr(sink, "WRITE_TIMEOUT_S", 0.2)
    sent = 0

    async def flood(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        nonlocal sent
        response = await open_stream(request)
        while True:
            await write_event(response, PROGRESS | {"padding": "x" * 65536})
            sent += 1

    upstream.script = flood
    async with SocketAgent(gateway, "open") as agent:
        agent.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await agent.send(modern(tool_call("get_code"))[0])
        await eventually(lambda: "cancelled" in [record.get("outcome") for record in gateway.records()])
    assert sent * 65536 < 64 << 20


async def test_many_agents_hear_their_own_answers(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Sessions with the same ids at the same time, each with many requests under way."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return rpc_result(message, {"content": [], "echo": message["params"]["arguments"]})

    async def one(number: int) -> None:
        async with SocketAgent(gateway, "open") as agent:
            await agent.send(*(tool_call("get_code", {"n": number, "id": id}, id=id) for id in range(20)))
            answers = [await agent.message() for _ in range(20)]
        assert {answer["id"]: answer["result"]["echo"] for answer in answers} == {
            id: {"n": number, "id": id} for id in range(20)
        }

    upstream.script = script
    assert await gateway.reload(lambda document: document.update(bounds={"requests_per_grant": 200}))
    await asyncio.gather(*(one(number) for number in range(10)))


async def test_a_server_that_is_down_is_told(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Each call gets its answer and is given back, and the session goes on."""
    await upstream.stop()
    async with SocketAgent(gateway) as agent:
        for number in range(12):
            assert decision_of(await agent.ask(tool_call("cancel_task", id=number)))["rule"] == "(upstream down)"


async def test_a_session_that_the_server_has_lost_ends_the_stream(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The request is answered, and the end has the agent begin anew."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message and message["method"] == "tools/list":
            return web.Response(status=404)
        return server.default_answer(message)

    upstream.script = script
    async with SocketAgent(gateway) as agent:
        await agent.initialize()
        answer = await agent.ask(LIST)
        assert (answer["id"], answer["error"]["code"]) == (3, -32001)
        with pytest.raises(EOFError):
            await agent.message()
