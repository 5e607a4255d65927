"""The relay's rules for agents that leave or stop reading. What it carries is shown in tests/functional."""

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import web

from gateway.mcp.message import Notification, Request
from gateway.mcp.versions import Era
from gateway.proxy import sink
from gateway.proxy.relay import Outbound
from tests.support.gateways import RunningGateway, decision_of, tool_call
from tests.support.messages import call, request
from tests.support.upstream import ScriptedUpstream, open_stream
from tests.support.waiting import eventually


def outbound(method: str, era: Era) -> Outbound:
    """A request to the server."""
    message = Request(1, "ping", {}, {"jsonrpc": "2.0", "id": 1, "method": "ping"}) if method == "POST" else None
    return Outbound(method, message, [], "alice", False, era, answer_filter=None, seal=str, settle=lambda: False)


@pytest.mark.parametrize(
    ("method", "era", "is_cancelled"),
    [("POST", Era.MODERN, True), ("POST", Era.LEGACY, False), ("GET", Era.LEGACY, True), ("DELETE", Era.LEGACY, True)],
)
def test_leaving_cancels_all_but_a_legacy_call(method: str, era: Era, is_cancelled: bool):
    """Only a legacy agent's POST goes on without it."""
    assert outbound(method, era).is_cancelled_by_leaving is is_cancelled


def test_the_bytes_for_the_server_are_made_from_the_judged_object():
    """A POST carries the judged message; GET and DELETE carry nothing."""
    assert outbound("POST", Era.LEGACY).body == b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
    assert outbound("GET", Era.LEGACY).body is None


def in_session(message: Request, era: Era = Era.LEGACY, *, has_session: bool = True) -> Outbound:
    """A message of an agent's, with the headers that a legacy one and a modern one send."""
    headers = [("Accept", "a"), ("mcp-session-id", "s"), ("MCP-Protocol-Version", "2025-11-25"), ("Mcp-Name", "x")]
    return Outbound(
        "POST", message, headers, "alice", has_session, era, answer_filter=None, seal=str, settle=lambda: False
    )


def test_a_cancellation_names_the_request_in_its_session():
    """It carries what every message of the session does, and nothing that mirrors the request's body."""
    cancellation = in_session(call("get_code", id="7")).cancellation
    assert isinstance(cancellation.message, Notification)
    assert cancellation.message.body["method"] == "notifications/cancelled"
    assert cancellation.message.body["params"]["requestId"] == "7"
    assert [name for name, _ in cancellation.headers] == ["Accept", "mcp-session-id", "MCP-Protocol-Version"]


def test_what_is_not_cancelled_by_a_notification():
    """The handshake, tasks, what has no session, and modern requests, which a closed stream cancels."""
    task = Request(1, "tools/call", {"name": "x", "task": {}}, {})
    assert in_session(request("initialize")).cancellation is None
    assert in_session(task).cancellation is None
    assert in_session(call("x"), has_session=False).cancellation is None
    assert in_session(call("x"), Era.MODERN).cancellation is None


@pytest.mark.parametrize("is_abandoned", [False, True])
async def test_a_call_that_takes_too_long_is_cancelled_at_the_server(
    gateway: RunningGateway, upstream: ScriptedUpstream, is_abandoned: bool
):
    """The server of its session hears that nobody waits, also for an agent that has left."""
    initialize = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}
    async with gateway.client.post(gateway.url, json=initialize, headers=gateway.headers()) as response:
        session_id = response.headers["Mcp-Session-Id"]

    async def stall(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return server.default_answer(message)

    upstream.script = stall
    gateway.gateway.relay("binassist").upstream.timeout_s = 0.1
    headers = {"Mcp_Session_Id": session_id, "Mcp_Method": "tools/call"}
    if is_abandoned:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await gateway.post(tool_call("cancel_task", id=9), **headers)
    else:
        _, answer = await gateway.post(tool_call("cancel_task", id=9), **headers)
        assert decision_of(answer)["rule"] == "(upstream timeout)"
    await eventually(lambda: upstream.received[-1].message["method"] == "notifications/cancelled")
    cancelled = upstream.received[-1]
    assert cancelled.message["params"]["requestId"] == 9
    assert cancelled.headers["mcp-session-id"] == "upstream-session"
    assert "mcp-method" not in cancelled.headers


async def test_an_agent_that_stops_reading_is_cut_off(
    gateway: RunningGateway, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
):
    """A reader that never reads costs one time-out, then its connection; the server's side is freed."""
    monkeypatch.setattr(sink, "WRITE_TIMEOUT_S", 0.1)

    async def flood(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        while not server.released.is_set():
            await response.write(b'data: {"text":"' + b"x" * 65536 + b'"}\n\n')
        return response

    upstream.script = flood
    host, port = gateway.gateway.url.removeprefix("http://").split(":")
    agent = socket.create_connection((host, int(port)))
    head = "".join(f"{name}: {value}\r\n" for name, value in gateway.headers("open").items())
    agent.sendall(f"GET /mcp HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
    await eventually(lambda: upstream.cancelled and not gateway.connections())
    agent.close()


async def test_an_answer_left_unread_changes_nothing_for_the_next_call(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """After an agent closed on an answer it had not read, the next call goes through as if nothing had been."""
    assert "result" in await gateway.call()
    session = gateway.client.post(gateway.url, json=tool_call("cancel_task"), headers=gateway.headers())
    (await session).close()
    assert "result" in await gateway.call()


@pytest.mark.parametrize(
    "ids", [["one", "two"], [""], ["x" * 1025], ["with space"]], ids=["two", "empty", "too long", "not visible"]
)
async def test_an_unusable_session_id_is_a_failure_of_the_server(
    gateway: RunningGateway, upstream: ScriptedUpstream, ids: list[str]
):
    """A session id that cannot be handed on safely makes the answer a failed one, not a crash of ours."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = server.default_answer(message)
        for id in ids:
            response.headers.add("Mcp-Session-Id", id)
        return response

    upstream.script = script
    answer = await gateway.call()
    assert answer["result"]["isError"] is True
    assert "no usable session id" in answer["result"]["content"][0]["text"]


async def test_a_session_that_nobody_has_heard_of_is_ended(gateway: RunningGateway, upstream: ScriptedUpstream):
    """An agent that leaves during its handshake leaves none behind at the server."""
    initialize = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}

    async def stall(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return server.default_answer(message)

    upstream.script = stall
    posting = asyncio.ensure_future(gateway.client.post(gateway.url, json=initialize, headers=gateway.headers()))
    await eventually(lambda: upstream.received)
    posting.cancel()
    await asyncio.wait([posting])
    upstream.released.set()
    await eventually(lambda: upstream.received[-1].method == "DELETE")
    assert upstream.received[-1].headers["mcp-session-id"] == "upstream-session"


async def test_a_session_is_kept_whose_agent_hangs_up_as_soon_as_it_has_its_answer(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """Official clients do, before the server's stream has ended: they know the session and go on in it."""
    initialize = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {"protocolVersion": "2025-11-25"}}

    async def answer_and_linger(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message is None or message["method"] != "initialize":
            return server.default_answer(message)
        headers = {"Content-Type": "text/event-stream", "Mcp-Session-Id": "upstream-session"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        await response.write(b'data: {"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}\n\n')
        await server.released.wait()
        return response

    upstream.script = answer_and_linger
    response = await gateway.client.post(gateway.url, json=initialize, headers=gateway.headers())
    assert b'"result"' in await response.content.readline()
    response.close()
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    session_id = response.headers["Mcp-Session-Id"]
    assert (await gateway.post(ping, Mcp_Session_Id=session_id))[0] == 200
    upstream.released.set()
    await eventually(lambda: "abandoned" in [record.get("outcome") for record in gateway.records()])
    assert (await gateway.post(ping, Mcp_Session_Id=session_id))[0] == 200
    assert "DELETE" not in [received.method for received in upstream.received]
