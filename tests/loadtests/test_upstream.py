"""The server for load: its answers, and its count of what arrived."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import orjson
import pytest

from gateway.clock import ManualClock
from loadtests.scenarios import READ, STREAM_EVENTS, STREAMED, TOOLS
from loadtests.upstream import LoadUpstream
from tests.support.gateways import modern, tool_call
from tests.support.waiting import eventually


@pytest.fixture(params=[False, True], ids=["json", "sse"])
async def upstream(request) -> AsyncIterator[LoadUpstream]:
    """One of each kind."""
    server = LoadUpstream(answers_as_sse=request.param, clock=ManualClock(monotonic_ns=7))
    await server.start()
    yield server
    await server.stop()


async def ask(upstream: LoadUpstream, body: dict) -> tuple[dict[str, str], list[dict]]:
    """POST a message: the headers of the answer, and all messages in it."""
    async with aiohttp.ClientSession() as client, client.post(upstream.url, json=body) as response:
        text = await response.read()
        headers = {name.lower(): value for name, value in response.headers.items()}
    lines = [line.removeprefix(b"data: ") for line in text.splitlines() if line.startswith((b"data: ", b"{"))]
    return headers, [orjson.loads(line) for line in lines]


async def test_it_opens_a_session(upstream):
    """`initialize` gives an id, other requests do not."""
    headers, (answer,) = await ask(upstream, {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
    assert len(headers["mcp-session-id"]) == 32
    assert answer["result"]["protocolVersion"] == "2025-11-25"
    headers, (answer,) = await ask(upstream, {"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    assert "mcp-session-id" not in headers
    assert [tool["name"] for tool in answer["result"]["tools"]] == list(TOOLS)


async def test_it_answers_agents_without_sessions(upstream):
    """What 2026-07-28 asks of every result is there."""
    message, _ = modern({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {}})
    _, (answer,) = await ask(upstream, message)
    assert answer["result"]["resultType"] == "complete"
    assert "2026-07-28" in answer["result"]["supportedVersions"]


async def test_calls_are_counted_by_tool_and_agent(upstream):
    """With the time of each, by the clock."""
    for agent in ("a", "b", "a"):
        _, (answer,) = await ask(upstream, tool_call(READ, {"agent": agent}))
        assert answer["result"]["isError"] is False
    assert dict(upstream.arrivals.times_ns) == {(READ, "a"): [7, 7], (READ, "b"): [7]}
    assert upstream.arrivals.most_in_flight == {(READ, "a"): 1, (READ, "b"): 1}


async def test_a_slow_answer_has_events_before_it(upstream):
    """Numbered, and in flight meanwhile."""
    body = tool_call(STREAMED, {"agent": "a"})
    _, messages = await ask(upstream, body | {"params": body["params"] | {"_meta": {"progressToken": "t"}}})
    assert [each["params"]["progress"] for each in messages[:-1]] == list(range(1, STREAM_EVENTS + 1))
    assert messages[-1]["id"] == 1


async def test_calls_in_flight_are_counted_together(upstream):
    """Also those whose caller leaves, which are over then."""
    body = tool_call(STREAMED, {"agent": "a"})
    key = (STREAMED, "a")
    async with aiohttp.ClientSession() as client:
        first, second = [asyncio.ensure_future(client.post(upstream.url, json=body)) for _ in range(2)]
        answers = [await first, await second]
        assert upstream.arrivals.most_in_flight[key] == 2
        for answer in answers:
            answer.close()
    await eventually(lambda: not upstream.connections)
    await ask(upstream, body)
    assert upstream.arrivals.most_in_flight[key] == 2


async def test_bytes_one_by_one_are_one_request(upstream):
    """Wherever the network splits it."""
    body = orjson.dumps(tool_call(READ, {"agent": "a"}))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(upstream.url.split(":")[2].split("/")[0]))
    for byte in b"POST /mcp HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body):
        writer.write(bytes([byte]))
        await writer.drain()
    async with asyncio.timeout(10):
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    await writer.wait_closed()
    assert upstream.arrivals.total == 1


async def test_what_is_no_request_is_answered_too(upstream):
    """Notifications, GET and DELETE."""
    async with aiohttp.ClientSession() as client:
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await client.post(upstream.url, json=note)).status == 202
        assert (await client.get(upstream.url)).status == 405
        assert (await client.delete(upstream.url)).status == 200
