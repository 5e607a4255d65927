"""Server-sent events pass as they come, and agents that go away are treated by their era's rules."""

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from tests.support.gateways import RunningGateway, modern, tool_call, write_event
from tests.support.upstream import ScriptedUpstream, open_stream, rpc_result
from tests.support.waiting import eventually

PROGRESS = {
    "jsonrpc": "2.0",
    "method": "notifications/progress",
    "params": {"progressToken": 1, "progress": 1},
}


async def test_events_arrive_one_by_one(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The agent has each event before the server writes the next: nothing is buffered."""
    next_event = asyncio.Event()

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        for number in range(5):
            await write_event(response, {**PROGRESS, "number": number})
            await next_event.wait()
            next_event.clear()
        await write_event(response, {"jsonrpc": "2.0", "id": message["id"], "result": {"content": []}})
        return response

    upstream.script = script
    async with gateway.client.post(gateway.url, json=tool_call("cancel_task"), headers=gateway.headers()) as response:
        assert response.content_type == "text/event-stream"
        for number in range(5):
            async with asyncio.timeout(5):
                event = await _read_event(response)
            assert event["number"] == number
            next_event.set()
        assert "result" in await _read_event(response)


async def test_a_stream_keeps_its_bytes(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Ids, retries, comments and line ends pass as the server wrote them, however its writes are cut."""
    notice = b'data: {"jsonrpc":"2.0",\r\ndata: "method":"notifications/message"}\r\n\r\n'
    answer = b'data: {"jsonrpc":"2.0","id":1,"result":{}}\r\r'
    stream = b": hello\r\n\r\nid: 7\r\nretry: 10\r\n" + notice + b"event: x\ndata: y\n\n" + answer

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        for byte in stream:
            await response.write(bytes([byte]))
        return response

    upstream.script = script
    async with gateway.client.post(gateway.url, json=tool_call("cancel_task"), headers=gateway.headers()) as response:
        assert await response.read() == stream


async def test_a_list_in_a_stream_is_filtered(gateway: RunningGateway, upstream: ScriptedUpstream):
    """`tools/list` answered as SSE is filtered like JSON, and the event keeps its id."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        body = orjson.dumps({"jsonrpc": "2.0", "id": message["id"], "result": {"tools": server.tools}})
        await response.write(b"id: 9\r\nevent: message\r\ndata: " + body + b"\r\n\r\n")
        return response

    upstream.script = script
    request = {"jsonrpc": "2.0", "id": 4, "method": "tools/list"}
    async with gateway.client.post(gateway.url, json=request, headers=gateway.headers()) as response:
        text = await response.text()
    assert "id: 9\n" in text
    assert "get_code" not in text
    answer = orjson.loads(text.split("data: ")[1])
    assert [tool["name"] for tool in answer["result"]["tools"]] == ["cancel_task"]


async def test_a_list_on_a_get_stream_is_filtered(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A list that arrives on a resumed GET stream is filtered too; its headers come before any event."""
    may_write = asyncio.Event()

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await may_write.wait()
        await write_event(response, {"jsonrpc": "2.0", "id": 1, "result": {"tools": server.tools}})
        return response

    upstream.script = script
    async with asyncio.timeout(5):
        response = await gateway.client.get(gateway.url, headers=gateway.headers())
    assert response.status == 200
    may_write.set()
    answer = await _read_event(response)
    assert [tool["name"] for tool in answer["result"]["tools"]] == ["cancel_task"]
    response.close()


@pytest.mark.parametrize("is_streaming", [False, True], ids=["before the answer", "in the middle of it"])
async def test_a_modern_agent_that_leaves_cancels_the_call(
    gateway: RunningGateway, upstream: ScriptedUpstream, is_streaming: bool
):
    """A 2026-07-28 agent that closes its stream closes the server's at once."""
    message, headers = modern(tool_call("cancel_task"))
    await _leave_in_the_middle(gateway, upstream, message, headers, is_streaming)
    await eventually(lambda: upstream.cancelled == 1)
    await eventually(lambda: gateway.records()[-1].get("outcome") == "cancelled")


@pytest.mark.parametrize("is_streaming", [False, True], ids=["before the answer", "in the middle of it"])
async def test_a_legacy_agent_that_leaves_does_not_cancel(
    gateway: RunningGateway, upstream: ScriptedUpstream, is_streaming: bool
):
    """A legacy agent's call runs on to its end at the server; the record says that nobody read it."""
    await _leave_in_the_middle(gateway, upstream, tool_call("cancel_task"), {}, is_streaming)
    await eventually(lambda: not gateway.connections())
    assert gateway.records()[-1]["type"] == "decision"
    upstream.released.set()
    await eventually(lambda: gateway.records()[-1].get("outcome") == "abandoned")
    assert upstream.cancelled == 0
    assert gateway.records()[-1]["upstream_status"] == 200


async def test_a_listening_stream_ends_with_its_agent(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A GET stream whose agent leaves is closed at the server, in either era."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await server.released.wait()
        return response

    upstream.script = script
    response = await gateway.client.get(gateway.url, headers=gateway.headers())
    response.close()
    await eventually(lambda: upstream.cancelled == 1)


async def _leave_in_the_middle(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    message: Any,
    headers: dict[str, str],
    is_streaming: bool,
) -> None:
    """Start a call that the server does not finish, and close the connection under it."""
    has_started = asyncio.Event()

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if not is_streaming:
            has_started.set()
            await server.released.wait()
            return rpc_result(message, {"content": []})
        response = await open_stream(request)
        await write_event(response, PROGRESS)
        await server.released.wait()
        await write_event(response, {"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
        return response

    upstream.script = script
    async with aiohttp.ClientSession() as client:
        posting = asyncio.ensure_future(client.post(gateway.url, json=message, headers=gateway.headers(**headers)))
        if is_streaming:
            response = await posting
            await _read_event(response)
            response.close()
        else:
            await has_started.wait()
            posting.cancel()
            await asyncio.gather(posting, return_exceptions=True)


async def _read_event(response: aiohttp.ClientResponse) -> Any:
    """The JSON of the next event."""
    data = b""
    while line := (await response.content.readline()).rstrip(b"\r\n") or (b"" if data else b":"):
        if line.startswith(b"data: "):
            data += line.removeprefix(b"data: ")
    return orjson.loads(data)
