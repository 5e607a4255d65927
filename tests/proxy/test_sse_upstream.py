"""The way to a server of 2024-11-05 by itself. What passes on it is shown in test_legacy_servers.py."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from gateway.proxy.sse_upstream import SseUpstream
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from gateway.tasks import Tasks
from tests.support.messages import call, notification, request
from tests.support.sse_server import SseServer
from tests.support.waiting import eventually

INITIALIZE = orjson.dumps(request("initialize", 0).body)


@pytest.fixture
async def server() -> AsyncIterator[SseServer]:
    """The scripted server."""
    started = SseServer()
    await started.start()
    yield started
    started.released.set()
    await started.stop()


@pytest.fixture
async def way(server: SseServer) -> AsyncIterator[SseUpstream]:
    """The way to it."""
    tasks = Tasks()
    opened = SseUpstream("binassist", server.url, {"X-Api-Key": "ours"}, 5, {}, tasks)
    opened.open()
    yield opened
    await opened.close()
    await tasks.close()


async def test_a_session_is_opened_posted_to_and_closed(server: SseServer, way: SseUpstream):
    """Its id is ours; headers of the transport's stay here, others travel; closing ends the server's stream."""
    answer = await way.send("POST", [], INITIALIZE, grant="alice", timeout_s=5)
    (session_id,) = answer.session_ids
    assert b'"id":0' in await answer.read(1000)
    headers = [("mcp-session-id", session_id), ("Mcp-Param-A", "1"), ("Last-Event-ID", "7"), ("traceparent", "t")]
    told = await way.send("POST", headers, orjson.dumps(notification().body), grant="alice", timeout_s=5)
    assert (told.status, await told.read(0)) == (202, b"")
    sent = server.received[-1].headers
    assert (sent["traceparent"], sent["x-api-key"]) == ("t", "ours")
    assert not {"mcp-session-id", "mcp-param-a", "last-event-id"} & sent.keys()
    assert (await way.send("DELETE", headers, None, grant="alice", timeout_s=5)).status == 200
    assert (await way.send("DELETE", headers, None, grant="alice", timeout_s=5)).status == 404
    await eventually(lambda: server.left == 1)


async def test_closing_the_way_ends_every_session(server: SseServer, way: SseUpstream):
    """No stream is left open at the server."""
    for _ in range(3):
        await way.send("POST", [], INITIALIZE, grant="alice", timeout_s=5)
    await way.close()
    await eventually(lambda: server.left == 3)


async def test_a_refused_handshake_leaves_nothing_behind(server: SseServer, way: SseUpstream):
    """Whatever the status, even the one that says "no such session": the stream is closed again."""
    for status in (400, 404, 500):
        server.post_status = status
        with pytest.raises(UpstreamError, match=f"HTTP status {status}"):
            await way.send("POST", [], INITIALIZE, grant="alice", timeout_s=5)
    await eventually(lambda: server.left == 3)


async def test_giving_up_while_a_session_opens_leaves_nothing_behind(server: SseServer, way: SseUpstream):
    """Neither a server that never says where to post, nor one who asks and leaves, keeps a stream open."""
    server.announced = ""
    with pytest.raises(UpstreamError) as raised:
        await way.send("POST", [], INITIALIZE, grant="alice", timeout_s=0.05)
    assert (raised.value.failure, raised.value.may_have_run) == (Failure.TIMEOUT, False)
    sending = asyncio.ensure_future(way.send("POST", [], INITIALIZE, grant="alice", timeout_s=5))
    await eventually(lambda: len(server.streams) == 2)
    sending.cancel()
    await asyncio.wait([sending])
    await eventually(lambda: server.left == 2)


async def test_a_message_that_could_not_be_posted_leaves_its_id_free(server: SseServer, way: SseUpstream):
    """After the failure the same id can be asked with again."""
    opened = await way.send("POST", [], INITIALIZE, grant="alice", timeout_s=5)
    (session_id,) = opened.session_ids
    assert b'"id":0' in await opened.read(1000)
    headers, body = [("mcp-session-id", session_id)], orjson.dumps(call("get_code").body)
    server.post_status = 500
    with pytest.raises(UpstreamError) as raised:
        await way.send("POST", headers, body, grant="alice", timeout_s=5)
    assert raised.value.may_have_run is True
    assert not way.table.get(session_id).is_busy
    server.post_status = 202
    answer = await way.send("POST", headers, body, grant="alice", timeout_s=5)
    assert b"done in 0" in await answer.read(1000)


async def test_a_receipt_that_is_not_read_to_its_end_is_let_go_of(
    server: SseServer, way: SseUpstream, monkeypatch: pytest.MonkeyPatch
):
    """A message whose sender is cancelled while the server takes it leaves no connection behind."""
    (session_id,) = (await way.send("POST", [], INITIALIZE, grant="alice", timeout_s=5)).session_ids
    is_read, closed = asyncio.Event(), []

    async def chunks() -> AsyncIterator[bytes]:
        is_read.set()
        await asyncio.Event().wait()
        yield b""

    async def half_a_receipt(*_: Any, **more: Any) -> Answer:
        return Answer(202, [], chunks, lambda: closed.append(True))

    monkeypatch.setattr(way.http, "request", half_a_receipt)
    told = orjson.dumps(notification().body)
    sending = asyncio.ensure_future(
        way.send("POST", [("mcp-session-id", session_id)], told, grant="alice", timeout_s=5)
    )
    await is_read.wait()
    sending.cancel()
    await asyncio.wait([sending])
    assert closed == [True]
