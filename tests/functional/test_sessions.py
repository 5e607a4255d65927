"""Legacy sessions through the gateway: everything an intermediary must carry, and nobody's answer to anybody else."""

import asyncio
import resource
from typing import Any

import orjson
import pytest
from aiohttp import web

from tests.support.gateways import RunningGateway, tool_call
from tests.support.messages import request
from tests.support.upstream import ScriptedUpstream, open_stream, rpc_result

INITIALIZE = request("initialize", 0, protocolVersion="2025-11-25").body


async def _open_session(gateway: RunningGateway, grant: str = "open") -> str:
    async with gateway.client.post(gateway.url, json=INITIALIZE, headers=gateway.headers(grant)) as response:
        return response.headers["Mcp-Session-Id"]


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7, "reason": "no"}},
        {"jsonrpc": "2.0", "method": "notifications/roots/list_changed"},
        {"jsonrpc": "2.0", "id": "server-1", "result": {"roots": []}},
        {"jsonrpc": "2.0", "id": 3, "error": {"code": -1, "message": "declined"}},
    ],
    ids=["initialized", "cancelled", "list_changed", "a result", "an error"],
)
async def test_what_wants_no_answer_reaches_the_server(
    gateway: RunningGateway, upstream: ScriptedUpstream, message: dict[str, Any]
):
    """Notifications and answers to the server's own requests are forwarded as they are, and accepted with 202."""
    session_id = await _open_session(gateway)
    status, body = await gateway.post(message, grant="open", Mcp_Session_Id=session_id)
    assert (status, body) == (202, None)
    assert upstream.received[-1].message == message
    assert upstream.received[-1].headers["mcp-session-id"] == "upstream-session"


async def test_get_carries_the_session_and_where_to_resume(gateway: RunningGateway, upstream: ScriptedUpstream):
    """GET reaches the server with its session and Last-Event-ID, and server requests come back on it."""
    session_id = await _open_session(gateway)

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await response.write(b'id: 8\r\nretry: 5\r\ndata: {"jsonrpc":"2.0","id":"s1","method":"roots/list"}\r\n\r\n')
        return response

    upstream.script = script
    headers = gateway.headers("open", Mcp_Session_Id=session_id, Last_Event_ID="7")
    async with gateway.client.get(gateway.url, headers=headers) as response:
        text = await response.text()
    assert text == 'id: 8\r\nretry: 5\r\ndata: {"jsonrpc":"2.0","id":"s1","method":"roots/list"}\r\n\r\n'
    received = upstream.received[-1]
    assert (received.method, received.headers["mcp-session-id"]) == ("GET", "upstream-session")
    assert received.headers["last-event-id"] == "7"


@pytest.mark.parametrize(("method", "status"), [("GET", 405), ("GET", 409), ("DELETE", 405), ("DELETE", 200)])
async def test_the_servers_own_statuses_pass(
    gateway: RunningGateway, upstream: ScriptedUpstream, method: str, status: int
):
    """What a server says of a stream or of a session's end is what the agent hears."""
    session_id = await _open_session(gateway)

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return web.Response(status=status, headers={"Allow": "POST"})

    upstream.script = script
    headers = gateway.headers("open", Mcp_Session_Id=session_id)
    async with gateway.client.request(method, gateway.url, headers=headers) as response:
        assert (response.status, response.headers["Allow"]) == (status, "POST")
    assert upstream.received[-1].method == method


async def test_a_thousand_answers_reach_their_own_callers(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Fifty sessions use the same twenty ids at the same time, and every answer is its caller's, byte for byte."""
    sessions = []

    async def name_session(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return rpc_result(message, {}, headers={"Mcp-Session-Id": f"session-{len(upstream.received)}"})

    upstream.script = name_session
    room = {"connections_per_grant": 1000, "requests_per_grant": 1000, "requests": 1000}
    assert await gateway.reload(lambda document: document.update(bounds=room))
    sessions = [await _open_session(gateway) for _ in range(50)]
    arrived: list[asyncio.Event] = []

    async def echo(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        # Answered in another order than they came, half as JSON and half as events.
        arrived.append(asyncio.Event())
        mine = arrived[-1]
        if len(arrived) % 10 == 0:
            for event in reversed(arrived[-10:]):
                event.set()
        await mine.wait()
        who = {"session": request.headers["Mcp-Session-Id"], "arguments": message["params"]["arguments"]}
        if message["id"] % 2:
            return rpc_result(message, who)
        response = await open_stream(request)
        body = orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": who})
        await response.write(b"data: " + body + b"\n\n")
        return response

    upstream.script = echo

    async def call(session_id: str, id: int) -> None:
        message = tool_call("get_code", {"nonce": f"{session_id}/{id}"}, id=id)
        headers = gateway.headers("open", Mcp_Session_Id=session_id)
        async with gateway.client.post(gateway.url, json=message, headers=headers) as response:
            text = (await response.text()).removeprefix("data: ").strip()
        upstream_id = session_id.rpartition(".")[0]
        expected = {"session": upstream_id, "arguments": {"nonce": f"{session_id}/{id}"}}
        assert text == orjson.dumps({"jsonrpc": "2.0", "id": id, "result": expected}).decode()

    await asyncio.gather(*(call(session_id, id) for session_id in sessions for id in range(20)))


async def test_a_long_stream_passes_with_flat_memory(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A hundred megabytes of events pass whole, and the process grows by less than a tenth of that."""
    text = b'"params":{"data":"%s"}' % (b"x" * (1 << 20))
    event = b'data: {"jsonrpc":"2.0","method":"notifications/message",%s}\n\n' % text

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        for _number in range(100):
            await response.write(event)
        return response

    await gateway.call(grant="other")
    upstream.script = script
    before = _resident_kib()
    passed = 0
    async with gateway.client.post(
        gateway.url, json=tool_call("get_code"), headers=gateway.headers("open")
    ) as response:
        async for chunk in response.content.iter_any():
            passed += len(chunk)
    assert passed == 100 * len(event)
    # The peak, and not what is left at the end, of this process, in which the server and the agent run too.
    assert _resident_kib() - before < 60 * 1024


def _resident_kib() -> int:
    """The largest this process has been (Linux counts it in KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
