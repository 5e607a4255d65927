"""The way to a server that is a command, by itself. What passes on it is shown in test_stdio_servers.py."""

import asyncio
from collections.abc import AsyncIterator, Callable

import orjson
import pytest

from gateway.clock import ManualClock
from gateway.mcp.message import Request
from gateway.proxy import process_pipes
from gateway.proxy.command import Command
from gateway.proxy.stdio_upstream import StdioUpstream
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from tests.support.commands import scripted, shell
from tests.support.messages import call, modern, notification, request
from tests.support.waiting import eventually

INITIALIZE = request("initialize", 0, protocolVersion="2025-06-18")

Way = Callable[[Command], StdioUpstream]


@pytest.fixture
async def way(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Way]:
    """Ways to commands; closing them leaves nothing running."""
    monkeypatch.setattr(process_pipes, "STOP_S", 0.2)
    opened: list[StdioUpstream] = []

    def make(command: Command) -> StdioUpstream:
        upstream = StdioUpstream("binassist", command, 5, {}, ManualClock())
        upstream.open()
        opened.append(upstream)
        return upstream

    yield make
    for upstream in opened:
        async with asyncio.timeout(5):
            await upstream.close()
        assert len(upstream.table) == len(upstream._tasks) == 0


async def ask(upstream: StdioUpstream, message: Request, *headers: tuple[str, str], grant: str = "alice") -> Answer:
    """Send a request."""
    return await upstream.send("POST", [*headers], orjson.dumps(message.body), grant=grant, timeout_s=5)


async def test_a_session_is_opened_used_and_ended(way: Way):
    """Its id is ours, and worth nothing once it has ended."""
    upstream = way(scripted())
    answer = await ask(upstream, INITIALIZE)
    (session_id,) = answer.session_ids
    assert b'"name": "scripted"' in await answer.read(1000)
    header = ("mcp-session-id", session_id)
    told = await upstream.send("POST", [header], orjson.dumps(notification().body), grant="alice", timeout_s=5)
    assert told.status == 202
    called = await ask(upstream, call("count"), header)
    assert b"call 1 in" in await called.read(1000)
    assert (await upstream.send("DELETE", [header], None, grant="alice", timeout_s=5)).status == 200
    assert (await ask(upstream, call("count"), header)).status == 404


async def test_grants_share_nothing(way: Way):
    """Each has a process, which several requests at once start only once."""
    upstream = way(scripted())
    asking = [ask(upstream, modern("tools/list"), grant=grant) for grant in ("a", "b", "a", "a", "b")]
    assert [answer.status for answer in await asyncio.gather(*asking)] == [200] * 5
    assert sorted(upstream._shared) == ["a", "b"]
    shared = upstream._shared["a"]
    assert (await ask(upstream, modern("tools/list"), ("mcp-session-id", shared.id))).status == 404


async def test_a_notification_without_anybody_to_hear_it(way: Way):
    """It starts no process."""
    upstream = way(scripted())
    body = orjson.dumps(notification("notifications/cancelled", requestId=1).body)
    assert (await upstream.send("POST", [], body, grant="a", timeout_s=5)).status == 400
    assert (await ask(upstream, modern("tools/list"), grant="a")).status == 200
    assert (await upstream.send("POST", [], body, grant="a", timeout_s=5)).status == 202
    assert (await upstream.send("POST", [], body, grant="b", timeout_s=5)).status == 400
    assert len(upstream.table) == 1


async def test_giving_up_while_a_process_starts_leaves_nothing_behind(way: Way):
    """Neither a session nor a process, and it was nobody's failure."""
    upstream = way(scripted())
    sending = asyncio.ensure_future(ask(upstream, INITIALIZE))
    # Far enough to have begun, and not to have been answered.
    while not len(upstream.table):  # noqa: ASYNC110
        await asyncio.sleep(0)
    sending.cancel()
    await asyncio.wait([sending])
    assert len(upstream.table) == 0
    assert await upstream.is_reachable()


async def test_failures_are_waited_out_and_forgotten(way: Way):
    """A process that dies at once makes the next wait; one that has spoken and was ended by us is no failure."""
    upstream = way(shell("exit 1"))
    with pytest.raises(UpstreamError) as raised:
        await (await ask(upstream, INITIALIZE)).read(1000)
    assert raised.value.failure is Failure.DOWN
    await eventually(lambda: len(upstream.table) == 0)
    assert not await upstream.is_reachable()
    with pytest.raises(UpstreamError, match="not started again yet"):
        await ask(upstream, INITIALIZE)
    assert isinstance(upstream._clock, ManualClock)
    upstream._clock.advance(seconds=0.5)
    assert await upstream.is_reachable()
    upstream._command = scripted()
    answer = await ask(upstream, INITIALIZE)
    await answer.read(1000)
    await upstream.send("DELETE", [("mcp-session-id", answer.session_ids[0])], None, grant="alice", timeout_s=5)
    assert await upstream.is_reachable()


async def test_closing_ends_every_process_at_once(way: Way):
    """Also those that do not want to, within the time that one of them takes."""
    upstream = way(scripted())
    for _ in range(4):
        answer = await ask(upstream, INITIALIZE)
        await answer.read(1000)
        called = await ask(upstream, call("stubborn"), ("mcp-session-id", answer.session_ids[0]))
        await called.read(1000)
    async with asyncio.timeout(2):
        await upstream.close()
    assert len(upstream.table) == 0
