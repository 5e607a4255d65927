"""Agents of 2024-11-05, over HTTP+SSE, before servers of streamable HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from mcp import Client
from mcp.client.sse import sse_client

from tests.demo.running import received_calls, running_demo
from tests.support.gateways import (
    ALLOW_ALL,
    SEED_POLICY,
    RunningGateway,
    decision_of,
    is_allowed,
    tool_call,
    write_config,
    write_event,
)
from tests.support.sse_agent import INITIALIZE, INITIALIZED, SseAgent
from tests.support.upstream import ScriptedUpstream, open_stream, rpc_result
from tests.support.waiting import eventually

PROGRESS = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}
PING = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
PONG = {"jsonrpc": "2.0", "id": 0, "result": {}}
LIST = {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}


@pytest.fixture
async def before_demo(tmp_path: Path) -> AsyncIterator[tuple[RunningGateway, str]]:
    """A gateway before the embedded server, and the server's own address."""
    with running_demo() as url:
        gateway = RunningGateway(write_config(tmp_path, url, {"seed": SEED_POLICY, "open": ALLOW_ALL}))
        await gateway.start()
        yield gateway, url
        await gateway.stop()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_seeds_policy_with_the_official_client(before_demo: tuple[RunningGateway, str], mode: str):
    """One tool is visible, ten calls pass, two are refused with the wait, another is denied; the session lives on."""
    gateway, url = before_demo
    headers = {"Authorization": "Bearer token-seed"}
    async with Client(sse_client(f"{gateway.gateway.url}/sse", headers=headers), mode=mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["cancel_task"]
        results = [await client.call_tool("cancel_task", {"task_id": "none"}) for _ in range(12)]
        assert [result.is_error for result in results] == [False] * 10 + [True] * 2
        assert results[-1].content[0].text.startswith("[POLICY DENIED] cancel_task is limited to 10 calls a minute.")
        assert (await client.call_tool("list_binaries", {})).is_error
        assert [tool.name for tool in (await client.list_tools()).tools] == ["cancel_task"]
    assert await received_calls(url) == {"cancel_task": 10}
    await eventually(lambda: gateway.records()[-1].get("outcome") == "completed")
    assert [record["method"] for record in gateway.records() if record["type"] == "decision"][-1] == "DELETE"


async def test_a_session_is_the_servers_own(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The agent's messages carry the session and the revision that it knows nothing of; its end ends the server's."""
    async with SseAgent(gateway) as agent:
        assert agent.address.startswith("/messages/binassist?session_id=")
        answer = await agent.initialize()
        assert (answer["id"], answer["result"]["serverInfo"]["name"]) == ("init", "scripted")
        listed = await agent.ask(LIST)
        assert [tool["name"] for tool in listed["result"]["tools"]] == ["cancel_task"]
    await eventually(lambda: upstream.received[-1].method == "DELETE")
    first, *rest = upstream.received
    assert "mcp-session-id" not in first.headers
    for received in rest:
        assert received.headers["mcp-session-id"] == "upstream-session"
        assert received.headers["mcp-protocol-version"] == "2025-06-18"
        assert "authorization" not in received.headers
    assert [received.method for received in rest] == ["POST", "GET", "POST", "DELETE"]


async def test_progress_and_answer_arrive_one_by_one(gateway: RunningGateway, upstream: ScriptedUpstream):
    """What an answer as events holds passes at once; comments, priming and line ends of the server's stay there."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        body = orjson.dumps(PROGRESS)
        # Cut anywhere, with every line end there is.
        for byte in b": hi\r\n\r\nid: 1\r\ndata:\r\n\r\ndata: " + body + b"\r\revent: other\ndata: {}\n\n":
            await response.write(bytes([byte]))
        await server.released.wait()
        await write_event(response, {"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
        return response

    upstream.script = script
    async with SseAgent(gateway) as agent:
        assert await agent.ask(tool_call("cancel_task")) == PROGRESS
        upstream.released.set()
        assert await agent.message() == {"jsonrpc": "2.0", "id": 1, "result": {"content": []}}


async def test_an_answer_of_several_lines_keeps_its_meaning(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A JSON body may have line ends between its parts, as some servers write it."""
    answer = {"jsonrpc": "2.0", "id": 1, "result": {"content": [], "text": "a\nb"}}

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        body = json.dumps(answer, indent=1).replace("\n", "\r\n")
        return web.Response(text=body, content_type="application/json")

    upstream.script = script
    async with SseAgent(gateway) as agent:
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
    async with SseAgent(gateway) as agent:
        await agent.initialize()
        assert await agent.message() == PING
        assert await agent.ask(tool_call("cancel_task")) == PING
        assert await agent.post(PONG) == (202, b"")
        assert is_allowed(await agent.message())
    assert [received.message for received in upstream.received if b'"result"' in received.body] == [PONG]


async def test_a_list_on_the_servers_stream_is_filtered(gateway: RunningGateway, upstream: ScriptedUpstream):
    """No way around: what the server says of its own accord is looked through as well."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if request.method != "GET":
            return server.default_answer(message)
        response = await open_stream(request)
        await write_event(response, {"jsonrpc": "2.0", "id": 9, "result": {"tools": server.tools}})
        await server.released.wait()
        return response

    upstream.script = script
    async with SseAgent(gateway) as agent:
        await agent.initialize()
        assert [tool["name"] for tool in (await agent.message())["result"]["tools"]] == ["cancel_task"]


async def test_an_agent_that_leaves_ends_what_was_done_for_it(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The server's stream is closed and its session ended; the call in flight runs on to its end, unread."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if request.method == "GET":
            response = await open_stream(request)
            await asyncio.Event().wait()
            return response
        if message and message.get("method") == "tools/call":
            await server.released.wait()
        return server.default_answer(message) if message else web.Response()

    upstream.script = script
    async with SseAgent(gateway) as agent:
        await agent.initialize()
        await agent.post(tool_call("cancel_task"))
        await eventually(lambda: upstream.calls("cancel_task") and upstream.received[-1].method)
    await eventually(lambda: upstream.received[-1].method == "DELETE")
    assert upstream.cancelled == 1
    upstream.released.set()
    await eventually(lambda: "abandoned" in [record.get("outcome") for record in gateway.records()])


async def test_another_grants_session_is_not_there(gateway: RunningGateway, upstream: ScriptedUpstream):
    """F57: an address is worth something to its own grant alone; all others get the same 404."""
    async with SseAgent(gateway) as agent:
        base = agent.address.partition("?")[0]
        for address in (base, f"{base}?session_id={'x' * 32}", f"{agent.address}&a=b", f"{base}?session_id="):
            status, body = await agent.post(LIST, address=address)
            assert (status, orjson.loads(body)["error"]["code"]) == (404, -32001)
        status, body = await agent.post(LIST, grant="other")
        assert (status, orjson.loads(body)["error"]["code"]) == (404, -32001)
        assert (await agent.post(LIST, grant="nobody"))[0] == 401
        assert upstream.received == []
        assert "result" in await agent.ask(LIST)
    async with asyncio.timeout(5):
        while (await agent.post(LIST))[0] != 404:
            pass


@pytest.mark.parametrize(
    ("body", "code"),
    [(b"[]", -32600), (b'{"id":1,"id":2}', -32700), (b"{", -32700), (b'{"jsonrpc":"2.0","method":"ping"}', -32600)],
)
async def test_what_is_no_message_is_refused_where_it_was_posted(
    gateway: RunningGateway, upstream: ScriptedUpstream, body: bytes, code: int
):
    """The rules for bodies are those of every transport, and nothing of it is forwarded."""
    async with SseAgent(gateway) as agent:
        status, answer = await agent.post(body)
        assert (status, orjson.loads(answer)["error"]["code"]) == (400, code)
        assert upstream.received == []
        assert [record["type"] for record in gateway.records()] == ["decision", "refusal"]


async def test_the_edge_is_the_same(gateway: RunningGateway):
    """Tokens, hosts, origins, methods, media types and paths are checked as for streamable HTTP."""
    base = gateway.gateway.url
    token = {"Authorization": "Bearer token-seed"}
    for method, path, headers, status in (
        ("GET", "/sse", {}, 401),
        ("GET", "/sse", token | {"Host": "evil.example"}, 421),
        ("GET", "/sse", token | {"Origin": "https://evil.example"}, 403),
        ("GET", "/sse", token | {"Accept": "application/json"}, 406),
        ("GET", "/sse?token=token-seed", token, 404),
        ("GET", "/sse/", token, 404),
        ("POST", "/sse", token, 405),
        ("DELETE", "/sse/binassist", token, 405),
        ("GET", "/messages/binassist", token, 405),
        ("POST", "/messages", token, 404),
    ):
        async with gateway.client.request(method, base + path, headers=headers) as response:
            assert response.status == status, (method, path)
    async with SseAgent(gateway) as agent:
        assert (await agent.post(LIST, Content_Type="text/plain"))[0] == 415
        assert (await agent.post(LIST, Mcp_Method="ping"))[0] == 400
        assert (await agent.post(LIST, Origin="null"))[0] == 403


async def test_a_server_that_is_down_is_told_on_the_stream(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The call gets its answer, the budget its call back, and the stream goes on."""
    await upstream.stop()
    async with SseAgent(gateway) as agent:
        for number in range(12):
            assert decision_of(await agent.ask(tool_call("cancel_task", id=number)))["rule"] == "(upstream down)"
        assert (await agent.post(INITIALIZED))[0] == 503


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, {"jsonrpc": "2.0", "id": None, "error": {"code": -32602, "message": "no"}}, -32602),
        (404, {"jsonrpc": "2.0", "id": 3, "error": {"code": -32601, "message": "no"}}, -32601),
        (400, None, -32603),
        (202, None, -32603),
        (500, None, -32603),
        (200, {"jsonrpc": "2.0", "id": 99, "result": {}}, -32603),
    ],
)
async def test_a_request_is_always_answered_with_its_own_id(
    gateway: RunningGateway, upstream: ScriptedUpstream, status: int, body: Any, code: int
):
    """What a server says with a status, or not at all, becomes an error that the agent can read."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if body is None:
            return web.Response(status=status)
        return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")

    upstream.script = script
    async with SseAgent(gateway) as agent:
        answer = await agent.ask(LIST)
        assert (answer["id"], answer["error"]["code"]) == (3, code)


async def test_a_stream_that_ends_without_an_answer_is_answered(gateway: RunningGateway, upstream: ScriptedUpstream):
    """This agent cannot come back for the answer, so it is told that there is none."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await write_event(response, PROGRESS)
        return response

    upstream.script = script
    async with SseAgent(gateway) as agent:
        assert await agent.ask(tool_call("cancel_task")) == PROGRESS
        assert decision_of(await agent.message())["rule"] == "(upstream broken)"


async def test_a_session_that_the_server_has_lost_ends_the_stream(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The request is answered, and the end of its stream has the agent begin anew."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message and message["method"] == "tools/list":
            return web.Response(status=404)
        return server.default_answer(message)

    upstream.script = script
    async with SseAgent(gateway) as agent:
        await agent.initialize()
        answer = await agent.ask(LIST)
        assert (answer["id"], answer["error"]["code"]) == (3, -32001)
        with pytest.raises(EOFError):
            await agent.event()


async def test_answers_find_their_own_session(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Many sessions with the same ids at the same time: each hears its own answers, and all of them."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if not message or message.get("method") != "tools/call":
            return server.default_answer(message)
        return rpc_result(message, {"content": [], "echo": message["params"]["arguments"]})

    async def one(number: int) -> None:
        async with SseAgent(gateway, "open") as agent:
            for id in range(20):
                assert (await agent.post(tool_call("get_code", {"n": number, "id": id}, id=id)))[0] == 202
            answers = [await agent.message() for _ in range(20)]
        assert {answer["id"]: answer["result"]["echo"] for answer in answers} == {
            id: {"n": number, "id": id} for id in range(20)
        }

    upstream.script = script
    await asyncio.gather(*(one(number) for number in range(10)))


async def test_initialize_is_asked_of_agents_of_2026(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A modern request is answered with an error that makes client libraries fall back; nothing is forwarded."""
    meta = {"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}
    async with SseAgent(gateway) as agent:
        discover = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": meta}
        assert (await agent.ask(discover))["error"]["code"] == -32601
        error = (await agent.ask(LIST | {"params": meta}))["error"]
        assert (error["code"], error["data"]["requested"]) == (-32022, "2026-07-28")
        assert upstream.received == []
        assert "result" in await agent.ask(INITIALIZE)
