"""Servers of 2024-11-05, which speak HTTP+SSE, before agents of every kind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import mcp_types
import orjson
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client

from gateway.proxy.sse_upstream import SseUpstream
from tests.support.gateways import (
    ALLOW_ALL,
    SEED_POLICY,
    RunningGateway,
    decision_of,
    is_allowed,
    modern,
    tool_call,
    write_config,
)
from tests.support.session_agent import SessionAgent, next_message
from tests.support.sse_agent import INITIALIZE, SseAgent
from tests.support.sse_server import SseServer
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
LIST = {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}
NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}
PING = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
PONG = {"jsonrpc": "2.0", "id": 0, "result": {}}
POLICIES = {"seed": SEED_POLICY, "other": SEED_POLICY, "open": ALLOW_ALL}


@pytest.fixture
async def old_server() -> AsyncIterator[SseServer]:
    """A scripted server over HTTP+SSE."""
    server = SseServer()
    await server.start()
    yield server
    server.released.set()
    await server.stop()


@pytest.fixture
async def before_old(old_server: SseServer, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """The gateway before the scripted server."""
    gateway = RunningGateway(write_config(tmp_path, old_server.url, POLICIES, transport="sse", timeout="2s"))
    await gateway.start()
    yield gateway
    await gateway.stop()


@pytest.fixture
async def before_real(tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """The gateway before a server on the official SDK."""
    process = await asyncio.create_subprocess_exec(
        *(str(ROOT / ".venv-clients/mcp1/bin/python"), str(ROOT / "tests/clients/server_mcp1.py")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    url = (await process.stdout.readline()).decode().strip()
    gateway = RunningGateway(write_config(tmp_path, url, POLICIES, transport="sse"))
    await gateway.start()
    yield gateway
    await gateway.stop()
    process.kill()
    await process.communicate()


def way_of(gateway: RunningGateway) -> SseUpstream:
    """The gateway's way to the server."""
    way = gateway.gateway.relay("binassist").upstream
    assert isinstance(way, SseUpstream)
    return way


@pytest.mark.parametrize("transport", ["auto", "legacy", "sse"])
async def test_the_seeds_policy_with_the_official_client_and_server(before_real: RunningGateway, transport: str):
    """One tool is visible, ten calls pass, two are refused with the wait, another is denied; the session lives on."""
    async with connected(before_real, "seed", transport) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["cancel_task"]
        results = [await client.call_tool("cancel_task", {"task_id": "t"}) for _ in range(12)]
        assert [result.is_error for result in results] == [False] * 10 + [True] * 2
        assert results[9].content[0].text == "call 10 for t"
        assert results[-1].content[0].text.startswith("[POLICY DENIED] cancel_task is limited to 10 calls a minute.")
        assert (await client.call_tool("delete_all", {})).is_error
        assert [tool.name for tool in (await client.list_tools()).tools] == ["cancel_task"]


@pytest.mark.parametrize("transport", ["auto", "sse"])
async def test_progress_and_questions_reach_the_official_client(before_real: RunningGateway, transport: str):
    """What the server says of its own accord arrives, and so does the agent's answer at the server."""
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with connected(before_real, "open", transport) as client:
        analysed = await client.call_tool("analyse", {}, progress_callback=on_progress)
        assert analysed.content[0].text == "analysed"
        answered = await client.call_tool("delete_all", {})
        assert answered.content[0].text == "decline"
        await eventually(lambda: seen == [0, 1, 2])


@contextlib.asynccontextmanager
async def connected(gateway: RunningGateway, grant: str, transport: str) -> AsyncIterator[Client]:
    """The official client, connected in one of its ways. It declines what it is asked."""
    headers = {"Authorization": f"Bearer token-{grant}"}

    async def decline(context: Any, params: mcp_types.ElicitRequestParams) -> mcp_types.ElicitResult:
        return mcp_types.ElicitResult(action="decline")

    async with httpx2.AsyncClient(headers=headers, timeout=30) as http_client:
        over_http = streamable_http_client(gateway.url, http_client=http_client)
        way = sse_client(f"{gateway.gateway.url}/sse", headers=headers) if transport == "sse" else over_http
        mode: Any = "auto" if transport == "sse" else transport
        async with Client(way, mode=mode, elicitation_callback=decline) as client:
            yield client


async def test_what_the_server_gets(before_old: RunningGateway, old_server: SseServer):
    """Its own credential and the judged messages, where it announced that it takes them; nothing of the transport."""
    agent = await SessionAgent(before_old).initialize()
    _, listed = await agent.post(LIST)
    assert [tool["name"] for tool in listed["result"]["tools"]] == ["cancel_task"]
    assert [received.method for received in old_server.received] == ["GET", "POST", "POST", "POST"]
    for received in old_server.received:
        assert received.headers["x-api-key"] == "ours"
        assert not {"authorization", "mcp-session-id", "mcp-protocol-version"} & received.headers.keys()
    assert old_server.received[-1].message == LIST


async def test_answers_find_their_own_request_and_session(before_old: RunningGateway, old_server: SseServer):
    """Two sessions with the same ids, answered in another order and cut anywhere: nobody hears another's answer."""
    held: list[tuple[int, Any]] = []

    async def script(server: SseServer, session: int, message: Any) -> bool:
        if message.get("method") != "tools/call":
            return False
        held.append((session, message))
        if len(held) == 6:
            for session, message in reversed(held):
                data = b'data: {"jsonrpc":"2.0",\r\ndata: "id":%d,"result":' % message["id"]
                data += orjson.dumps({"content": [], "session": session}) + b"}"
                for byte in b"event: message\r\n" + data + b"\r\n\r\n":
                    await server.streams[session].write(bytes([byte]))
        return True

    agents = [await SessionAgent(before_old, "open").initialize() for _ in range(2)]
    old_server.script = script
    calls = [agent.post(tool_call("get_code", id=id)) for agent in agents for id in range(3)]
    answers = [answer for _, answer in await asyncio.gather(*calls)]
    assert [answer["id"] for answer in answers] == [0, 1, 2] * 2
    assert [answer["result"]["session"] for answer in answers] == [0] * 3 + [1] * 3


async def test_what_nobody_asked_for_goes_to_the_agents_own_stream(before_old: RunningGateway, old_server: SseServer):
    """Held until the agent listens, then at once; its answers go back, and lists are filtered on this way too."""
    agent = await SessionAgent(before_old).initialize()
    await old_server.say(0, NOTE | {"number": 1})
    stream = await agent.listen()
    assert (await next_message(stream))["number"] == 1
    await old_server.say(0, PING)
    assert await next_message(stream) == PING
    assert (await agent.post(PONG))[0] == 202
    assert old_server.received[-1].message == PONG
    await old_server.say(0, NOTE | {"result": {"tools": [{"name": "cancel_task"}, {"name": "get_code"}]}})
    assert (await next_message(stream))["result"]["tools"] == [{"name": "cancel_task"}]
    second = await agent.listen()
    assert second.status == 409
    stream.close()


async def test_an_answer_that_nobody_waits_for_is_dropped(before_old: RunningGateway, old_server: SseServer):
    """To an id never asked, of another type, or given twice: it neither reaches an agent nor does it harm."""
    agent = await SessionAgent(before_old, "open").initialize()
    for id in (99, "1", True, 1.0, None, [1]):
        await old_server.say(0, {"jsonrpc": "2.0", "id": id, "result": {"tools": []}})
    status, answer = await agent.post(tool_call("get_code"))
    assert (status, answer["result"]["content"][0]["text"]) == (200, "done in 0")


@pytest.mark.parametrize("announced", ["https://evil.example/messages", "//evil.example/messages", "the gateway"])
async def test_messages_are_sent_to_the_server_alone(before_old: RunningGateway, old_server: SseServer, announced: str):
    """An address of another origin is refused; nothing is posted, and the server's stream is closed."""
    old_server.announced = before_old.url if announced == "the gateway" else announced
    _, answer = await SessionAgent(before_old).post(INITIALIZE)
    assert answer["error"]["code"] == -32603
    assert "elsewhere" in answer["error"]["message"]
    assert [received.method for received in old_server.received] == ["GET"]
    await eventually(lambda: old_server.left == 1)


async def test_a_server_may_name_itself_in_full(before_old: RunningGateway, old_server: SseServer):
    """An address with the server's own scheme, host and port is as good as its path (protocol.md, 2.8)."""
    old_server.announced = old_server.url.replace("/sse", "/messages?session={}")
    agent = await SessionAgent(before_old).initialize()
    assert is_allowed((await agent.post(tool_call("cancel_task")))[1])


async def test_a_server_that_closes_its_stream_fails_the_calls_and_loses_the_session(
    before_old: RunningGateway, old_server: SseServer
):
    """The call under way is answered as failed, and the next message with 404, so that agents begin anew."""

    async def script(server: SseServer, session: int, message: Any) -> bool:
        if message.get("method") != "tools/call":
            return False
        server.cut(session)
        return True

    agent = await SessionAgent(before_old).initialize()
    old_server.script = script
    stream = await agent.listen()
    _, answer = await agent.post(tool_call("cancel_task"))
    assert decision_of(answer)["rule"] == "(upstream broken)"
    assert await stream.read() == b""
    assert (await agent.post(LIST))[0] == 404
    old_server.script = None
    assert is_allowed((await (await agent.initialize()).post(tool_call("cancel_task")))[1])


@pytest.mark.parametrize("data", [b"data: {", b"data: [1]", b"data: NaN", b"data: \xff"])
async def test_what_is_no_message_ends_the_session(before_old: RunningGateway, old_server: SseServer, data: bytes):
    """Without an id nobody could be told what became of their request, so everybody is."""

    async def script(server: SseServer, session: int, message: Any) -> bool:
        await server.say(session, data)
        return True

    agent = await SessionAgent(before_old).initialize()
    old_server.script = script
    _, answer = await agent.post(tool_call("cancel_task"))
    assert decision_of(answer)["rule"] == "(upstream broken)"
    await eventually(lambda: old_server.left == 1)


@pytest.mark.parametrize(("status", "rule"), [(500, "(upstream broken)"), (302, "(upstream broken)"), (404, None)])
async def test_a_message_that_the_server_does_not_take(
    before_old: RunningGateway, old_server: SseServer, status: int, rule: str | None
):
    """It fails with an answer; 404 means that the session is gone."""
    agent = await SessionAgent(before_old).initialize()
    old_server.post_status = status
    answered, answer = await agent.post(tool_call("cancel_task"))
    if rule is None:
        assert answered == 404
        await eventually(lambda: old_server.left == 1)
    else:
        assert decision_of(answer)["rule"] == rule


async def test_a_server_that_does_not_answer_times_out(before_old: RunningGateway, old_server: SseServer):
    """The call fails and the server is told so; the session goes on, and what comes too late is dropped."""

    async def script(server: SseServer, session: int, message: Any) -> bool:
        return message.get("method") == "tools/call"

    agent = await SessionAgent(before_old).initialize()
    upstream = way_of(before_old)
    upstream.timeout_s = 0.05
    old_server.script = script
    _, answer = await agent.post(tool_call("cancel_task"))
    assert decision_of(answer)["rule"] == "(upstream timeout)"
    await eventually(lambda: old_server.messages("notifications/cancelled"))
    (cancelled,) = old_server.messages("notifications/cancelled")
    assert cancelled["params"]["requestId"] == 1
    await old_server.say(0, {"jsonrpc": "2.0", "id": 1, "result": {}})
    old_server.script = None
    upstream.timeout_s = 2
    assert (await agent.post(LIST))[1]["result"]["tools"]


async def test_an_agent_that_leaves_in_the_middle_of_a_call(before_old: RunningGateway, old_server: SseServer):
    """The call runs on, its answer is read by nobody, and the session is still there."""

    async def script(server: SseServer, session: int, message: Any) -> bool:
        return message.get("method") == "tools/call"

    agent = await SessionAgent(before_old).initialize()
    old_server.script = script
    calling = asyncio.ensure_future(agent.post(tool_call("cancel_task")))
    await eventually(lambda: old_server.messages("tools/call"))
    calling.cancel()
    await asyncio.wait([calling])
    await old_server.say(0, {"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
    await eventually(lambda: before_old.records()[-1].get("outcome") == "abandoned")
    assert (await agent.post(LIST))[0] == 200
    assert old_server.left == 0


async def test_a_session_ends_when_the_agent_ends_it(before_old: RunningGateway, old_server: SseServer):
    """DELETE closes the server's stream; the id is worth nothing afterwards."""
    agent = await SessionAgent(before_old).initialize()
    assert await agent.leave() == 200
    await eventually(lambda: old_server.left == 1)
    assert (await agent.post(LIST))[0] == 404
    assert (await agent.listen()).status == 404
    assert await agent.leave() == 404


async def test_an_agent_over_sse_that_leaves_ends_the_servers_stream(before_old: RunningGateway, old_server: SseServer):
    """With the old transport on both sides the two streams end together."""
    async with SseAgent(before_old) as agent:
        await agent.initialize()
        assert is_allowed(await agent.ask(tool_call("cancel_task")))
        await old_server.say(0, PING)
        assert await agent.message() == PING
    await eventually(lambda: old_server.left == 1)


async def test_a_session_ends_when_it_is_idle(before_old: RunningGateway, old_server: SseServer):
    """One that nobody uses is closed after a while, one whose agent listens is not."""
    listening, idle = [await SessionAgent(before_old).initialize() for _ in range(2)]
    stream = await listening.listen()
    # Not before one of them listens: until then either could be the one that ends.
    way_of(before_old).table.idle_s = 0.05
    for agent in (listening, idle):
        assert (await agent.post(LIST))[0] == 200
    await eventually(lambda: old_server.left == 1)
    assert (await idle.post(LIST))[0] == 404
    assert (await listening.post(LIST))[0] == 200
    stream.close()


async def test_the_longest_idle_session_makes_room(before_old: RunningGateway, old_server: SseServer):
    """Sessions are capped: a new one ends the one used longest ago, and never one in use."""
    way_of(before_old).table.most = 2
    first, second = [await SessionAgent(before_old).initialize() for _ in range(2)]
    stream = await first.listen()
    third = await SessionAgent(before_old).initialize()
    assert [(await agent.post(LIST))[0] for agent in (first, second, third)] == [200, 404, 200]
    other = await third.listen()
    _, answer = await SessionAgent(before_old).post(INITIALIZE)
    assert "sessions already" in answer["error"]["message"]
    stream.close()
    other.close()


async def test_another_grants_session_is_not_there(before_old: RunningGateway, old_server: SseServer):
    """F57: ids are bound to their grant here as for any server."""
    agent = await SessionAgent(before_old).initialize()
    stolen = SessionAgent(before_old, "other")
    stolen.session = agent.session
    count = len(old_server.received)
    assert (await stolen.post(LIST))[0] == 404
    assert (await stolen.listen()).status == 404
    assert await stolen.leave() == 404
    assert len(old_server.received) == count


async def test_without_a_session_there_is_only_initialize(before_old: RunningGateway, old_server: SseServer):
    """Agents of 2026 are told what is spoken here, in the way that makes them initialize; others that they should."""
    agent = SessionAgent(before_old)
    status, answer = await agent.post(LIST)
    assert (status, answer["id"], answer["error"]["code"]) == (400, 3, -32600)
    message, headers = modern({"jsonrpc": "2.0", "id": 1, "method": "server/discover"})
    status, answer = await agent.post(message, **headers)
    assert (status, answer["error"]["code"]) == (404, -32601)
    message, headers = modern(tool_call("cancel_task"))
    status, answer = await agent.post(message, **headers)
    assert (status, answer["error"]["code"]) == (400, -32022)
    assert (await agent.listen()).status == 405
    assert old_server.received == []


async def test_a_server_that_opens_no_session(before_old: RunningGateway, old_server: SseServer):
    """It is silent, or no such server at all, or down: `initialize` gets an answer that says so."""
    old_server.announced = ""
    upstream = way_of(before_old)
    upstream.timeout_s = 0.05
    _, answer = await SessionAgent(before_old).post(INITIALIZE)
    assert "opened no session in time" in answer["error"]["message"]
    upstream.timeout_s = 2
    upstream.http.url = old_server.url.replace("/sse", "/other")
    _, answer = await SessionAgent(before_old).post(INITIALIZE)
    assert "before a session was open" in answer["error"]["message"]
    await old_server.stop()
    _, answer = await SessionAgent(before_old).post(INITIALIZE)
    assert "cannot be reached" in answer["error"]["message"]
