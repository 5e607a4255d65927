"""One agent's stream by itself: its order, its end, and what a session is known by."""

import asyncio
from typing import cast

import pytest

from gateway.proxy.relay import Relay
from gateway.proxy.reply import Reply
from gateway.proxy.sse_session import AgentSession, AgentStream
from tests.support.grants import grant
from tests.support.waiting import eventually


class Agent:
    """A sink that remembers, and takes only what it is let take."""

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

    async def begin(self, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        """Not of interest here, like what follows."""

    async def end(self) -> None: ...

    def abort(self) -> None: ...

    async def reply(self, reply: Reply) -> None: ...


def session() -> AgentSession:
    """A session that no server knows of yet."""
    return AgentSession("s", grant(), cast("Relay", None), "127.0.0.1", AgentStream(60))


async def test_events_are_written_in_the_order_in_which_they_were_sent():
    """One after the other until the end is sent; afterwards nothing is taken."""
    stream, agent = AgentStream(60), Agent()
    running = asyncio.ensure_future(stream.run(agent))
    for event in (b"a", b"b", b"c", None):
        await stream.send(event)
    await running
    assert agent.written == [b"a", b"b", b"c"]
    with pytest.raises(ConnectionResetError):
        await stream.send(b"d")


async def test_who_sends_waits_for_an_agent_that_does_not_read():
    """One event is being written and one waits; the third sender is held up, so that nothing piles up."""
    stream, agent = AgentStream(60), Agent()
    agent.may_read.clear()
    running = asyncio.ensure_future(stream.run(agent))
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
    stream, agent = AgentStream(60), Agent()
    agent.may_read.clear()
    running = asyncio.ensure_future(stream.run(agent))
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
    stream, agent = AgentStream(0.01), Agent()
    running = asyncio.ensure_future(stream.run(agent))
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
    known.negotiated({"protocolVersion": "2025-11-25"})
    ours = [("mcp-session-id", "sealed"), ("mcp-protocol-version", "2025-11-25")]
    assert (known.headers(sent), known.has_server_session) == ([*ours, ("traceparent", "t")], True)


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "9999", "2025-11-25\r\nX: y", None, 1])
def test_only_a_revision_that_has_the_header_is_named_in_it(version: object):
    """Before 2025-06-18 there was no such header, and what is no revision never becomes one."""
    known = session()
    known.negotiated({"protocolVersion": version})
    assert known.headers() == []
