"""One agent's stream by itself: its order, its end, and what a session is known by."""

import asyncio

import pytest

from gateway.proxy import conversation
from gateway.proxy.conversation import AgentStream, Conversation, cancelled_call
from tests.support.grants import grant
from tests.support.messages import call, notification, request
from tests.support.waiting import eventually


class Agent:
    """Remembers what it is written, and takes only what it is let take."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.may_read = asyncio.Event()
        self.may_read.set()
        self.has_gone = False

    async def write(self, data: bytes) -> None:
        """Take some, unless it has gone."""
        await self.may_read.wait()
        if self.has_gone:
            raise ConnectionResetError
        self.written.append(data)


def session() -> Conversation:
    """A session that no server knows of yet."""
    return Conversation("s", grant(), "127.0.0.1", AgentStream(bytes, 60))


async def test_events_are_written_in_the_order_in_which_they_were_sent():
    """One after the other until the end is sent; afterwards nothing is taken."""
    stream, agent = AgentStream(bytes, 60), Agent()
    running = asyncio.ensure_future(stream.run(agent.write))
    for event in (b"a", b"b", b"c", None):
        await stream.send(event)
    await running
    assert agent.written == [b"a", b"b", b"c"]
    with pytest.raises(ConnectionResetError):
        await stream.send(b"d")


async def test_who_sends_waits_for_an_agent_that_does_not_read():
    """One event is being written and one waits; the third sender is held up, so that nothing piles up."""
    stream, agent = AgentStream(bytes, 60), Agent()
    agent.may_read.clear()
    running = asyncio.ensure_future(stream.run(agent.write))
    for event in (b"a", b"b"):
        await stream.send(event)
    third = asyncio.ensure_future(stream.send(b"c"))
    done, _ = await asyncio.wait([third], timeout=0.02)
    assert not done
    agent.may_read.set()
    await third
    await stream.send(None)
    await running
    assert agent.written == [b"a", b"b", b"c"]


async def test_nobody_waits_for_an_agent_that_has_gone():
    """Every sender that waits for a turn when the stream ends is told so."""
    stream, agent = AgentStream(bytes, 60), Agent()
    agent.may_read.clear()
    running = asyncio.ensure_future(stream.run(agent.write))
    await stream.send(b"a")
    senders = [asyncio.ensure_future(stream.send(b"more")) for _ in range(5)]
    await asyncio.sleep(0)
    agent.has_gone = True
    agent.may_read.set()
    with pytest.raises(ConnectionResetError):
        await running
    async with asyncio.timeout(1):
        results = await asyncio.gather(*senders, return_exceptions=True)
    assert [type(result) for result in results].count(ConnectionResetError) >= 4


async def test_a_silent_stream_gets_comments():
    """After a while without an event there is a comment, and another after the next."""
    stream, agent = AgentStream(bytes, 0.01), Agent()
    running = asyncio.ensure_future(stream.run(agent.write))
    await eventually(lambda: len(agent.written) >= 2)
    await stream.send(None)
    await running
    assert set(agent.written) == {b": keep-alive\n\n"}


def test_a_session_sends_what_an_agent_over_streamable_http_would():
    """Session and revision once they are known, instead of any that the agent sent; its other headers stay."""
    known = session()
    sent = [("Mcp-Session-Id", "forged"), ("MCP-Protocol-Version", "x"), ("Last-Event-ID", "1"), ("traceparent", "t")]
    assert (known.headers(sent), known.has_server_session) == ([("traceparent", "t")], False)
    known.learn([("Content-Type", "application/json")])
    assert not known.has_server_session
    known.learn([("Mcp-Session-Id", "sealed")])
    known.answered(request("initialize"), {"protocolVersion": "2025-11-25"})
    ours = [("mcp-session-id", "sealed"), ("mcp-protocol-version", "2025-11-25")]
    assert (known.headers(sent), known.has_server_session) == ([*ours, ("traceparent", "t")], True)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "9999", "2025-11-25\r\nX: y", None, 1])
def test_only_a_revision_that_has_the_header_is_named_in_it(version: object):
    """Before 2025-06-18 there was no such header, and what is no revision never becomes one."""
    known = session()
    known.answered(request("initialize"), {"protocolVersion": version})
    assert known.headers() == []


async def test_a_stream_carries_messages_in_its_own_form():
    """What is sent is framed; the end is not."""
    stream, agent = AgentStream(lambda message: b"<" + message + b">", None), Agent()
    running = asyncio.ensure_future(stream.run(agent.write))
    for message in (b"a", None):
        await stream.send(message)
    await running
    assert agent.written == [b"<a>"]


def test_a_call_has_the_headers_that_the_listed_tool_asks_for():
    """From the latest list in this conversation; other methods, and tools that were not listed, have none."""
    known = session()
    region = {"name": "cancel_task", "inputSchema": {"properties": {"region": {"x-mcp-header": "Region"}}}}
    odd = ["x", {}, {"name": 1, "inputSchema": {}}, {"name": "n", "inputSchema": []}]
    assert known.param_headers(call(region="eu")) == []
    known.answered(request("tools/list"), {"tools": [*odd, region]})
    assert known.param_headers(call(region="eu")) == [("Mcp-Param-Region", "eu")]
    assert known.param_headers(call("get_code", region="eu")) == []
    assert known.param_headers(request("prompts/get", name="cancel_task", arguments={"region": "eu"})) == []
    known.answered(call("get_code"), {"tools": [{**region, "inputSchema": {}}]})
    assert known.param_headers(call(region="eu")) != []
    known.answered(request("tools/list"), {"tools": [{**region, "inputSchema": {}}]})
    assert known.param_headers(call(region="eu")) == []


def test_the_tools_that_are_remembered_are_capped(monkeypatch: pytest.MonkeyPatch):
    """A server that lists without end takes no memory."""
    monkeypatch.setattr(conversation, "MAX_MIRRORED_TOOLS", 1)
    known = session()
    tools = [{"name": name, "inputSchema": {"properties": {"a": {"x-mcp-header": "A"}}}} for name in ("one", "two")]
    known.answered(request("tools/list"), {"tools": tools})
    assert [bool(known.param_headers(call(name, a="x"))) for name in ("one", "two")] == [True, False]


@pytest.mark.parametrize("id", ["7", True, 7.0, None, [7], 8])
async def test_a_cancellation_is_about_the_exact_id(id: object):
    """Whatever Python takes for the same key; and nothing but a cancellation is one."""
    calls: dict[int | str, asyncio.Task[None]] = {
        7: asyncio.ensure_future(asyncio.sleep(0)),
        1: asyncio.ensure_future(asyncio.sleep(0)),
    }
    assert cancelled_call(calls, notification("notifications/cancelled", requestId=id)) is None
    assert cancelled_call(calls, notification("notifications/other", requestId=7)) is None
    assert cancelled_call(calls, notification("notifications/cancelled", requestId=7)) is calls[7]
