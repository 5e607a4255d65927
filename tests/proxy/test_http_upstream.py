"""The way to a server: what each failure means, and what goes on the wire."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gateway.clock import ManualClock
from gateway.proxy.breaker import Breaker
from gateway.proxy.http_upstream import HttpUpstream
from gateway.proxy.upstream import Failure, UpstreamError
from tests.support.upstream import Script, ScriptedUpstream, open_stream


@pytest.fixture
async def way(upstream: ScriptedUpstream) -> AsyncIterator[HttpUpstream]:
    """The way to the scripted server, with a short time-out."""
    opened = HttpUpstream("binassist", upstream.url, {"X-Api-Key": "ours", "User-Agent": "chosen"}, 0.05, {})
    opened.open()
    yield opened
    await opened.close()


def answering(response: Any) -> Script:
    """A script that answers with what `response()` makes."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        made: web.StreamResponse = response()
        return made

    return script


async def test_our_headers_replace_the_agents(upstream: ScriptedUpstream, way: HttpUpstream):
    """The operator's headers win, no encoding is asked for, and nothing is added that nobody chose."""
    await way.send("POST", [("x-api-key", "theirs"), ("Mcp-Method", "ping")], b"{}", grant="alice", timeout_s=0.05)
    headers = upstream.received[0].headers
    assert headers["x-api-key"] == "ours"
    assert headers["user-agent"] == "chosen"
    assert headers["accept-encoding"] == "identity"
    assert headers.keys() <= {
        *("host", "x-api-key", "mcp-method", "accept-encoding", "user-agent", "content-length", "content-type"),
    }


async def test_an_answer_streams_and_tells_its_type(upstream: ScriptedUpstream, way: HttpUpstream):
    """Status, headers and media type are known before the body, which comes in pieces."""
    upstream.script = answering(lambda: web.Response(text="hello", content_type="text/Event-Stream"))
    answer = await way.send("POST", [], b"{}", grant="alice", timeout_s=0.05)
    assert (answer.status, answer.media_type, answer.is_encoded) == (200, "text/event-stream", False)
    assert await answer.read(5) == b"hello"


async def test_an_answer_longer_than_the_limit_is_no_answer(upstream: ScriptedUpstream, way: HttpUpstream):
    """Reading whole is bounded."""
    upstream.script = answering(lambda: web.Response(text="hello"))
    answer = await way.send("POST", [], b"{}", grant="alice", timeout_s=0.05)
    with pytest.raises(UpstreamError, match="longer than 4 bytes") as caught:
        await answer.read(4)
    assert caught.value.may_have_run
    answer.close()


async def test_a_refused_connection_cannot_have_run(upstream: ScriptedUpstream, way: HttpUpstream):
    """Nothing listens: the call was not run, and the address is not told."""
    await upstream.stop()
    assert not await way.is_reachable()
    with pytest.raises(UpstreamError, match="cannot be reached") as caught:
        await way.send("POST", [], b"{}", grant="alice", timeout_s=0.05)
    assert (caught.value.failure, caught.value.may_have_run) == (Failure.DOWN, False)
    assert str(upstream.port) not in str(caught.value)


async def test_a_connection_that_breaks_after_the_request_may_have_run(upstream: ScriptedUpstream, way: HttpUpstream):
    """The server had the request when the connection broke: it is not sent again."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    upstream.script = script
    with pytest.raises(UpstreamError) as caught:
        await way.send("POST", [], b"{}", grant="alice", timeout_s=0.05)
    assert (caught.value.failure, caught.value.may_have_run) == (Failure.BROKEN, True)
    assert len(upstream.received) == 1


async def test_silence_is_a_time_out_before_and_in_the_answer(upstream: ScriptedUpstream, way: HttpUpstream):
    """A server that falls silent may have run the call, whether or not it had begun to answer."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message == {"begin": True}:
            await open_stream(request)
        await server.released.wait()
        return web.Response()

    upstream.script = script
    with pytest.raises(UpstreamError) as before:
        await way.send("POST", [], b"{}", grant="alice", timeout_s=0.05)
    answer = await way.send("POST", [], b'{"begin":true}', grant="alice", timeout_s=0.05)
    with pytest.raises(UpstreamError) as within:
        await answer.read(100)
    answer.close()
    for caught in (before, within):
        assert (caught.value.failure, caught.value.may_have_run) == (Failure.TIMEOUT, True)


async def test_a_listening_stream_may_be_silent_for_ever(upstream: ScriptedUpstream, way: HttpUpstream):
    """A GET stream has no time-out: nothing to say is no failure."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await server.released.wait()
        await response.write(b"data: late\n\n")
        return response

    upstream.script = script
    answer = await way.send("GET", [], None, grant="alice", timeout_s=None)
    asyncio.get_running_loop().call_later(0.15, upstream.released.set)
    assert await answer.read(100) == b"data: late\n\n"
    answer.close()


async def test_redirects_are_not_followed(upstream: ScriptedUpstream, way: HttpUpstream):
    """A redirect comes back as it is; no request goes where a server points."""
    upstream.script = answering(lambda: web.Response(status=307, headers={"Location": upstream.url}))
    assert (await way.send("POST", [], b"{}", grant="alice", timeout_s=0.05)).status == 307
    assert len(upstream.received) == 1


@pytest.mark.parametrize(("is_repeatable", "arrived"), [(True, 2), (False, 1)])
async def test_only_what_is_repeatable_is_sent_again(
    upstream: ScriptedUpstream, way: HttpUpstream, is_repeatable: bool, arrived: int
):
    """A connection that breaks before any answer is tried once more, for reads alone."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if len(server.received) == 1:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text="again")

    upstream.script = script
    sending = way.send("POST", [], b"{}", grant="alice", timeout_s=0.05, is_repeatable=is_repeatable)
    if is_repeatable:
        assert await (await sending).read(10) == b"again"
    else:
        with pytest.raises(UpstreamError):
            await sending
    assert len(upstream.received) == arrived


@pytest.fixture
async def guarded(upstream: ScriptedUpstream) -> AsyncIterator[HttpUpstream]:
    """The way to the scripted server, which is given up after two failures."""
    breaker = Breaker(ManualClock(), failures=2, pause_s=5)
    opened = HttpUpstream("binassist", upstream.url, {}, 0.05, {}, breaker)
    opened.open()
    yield opened
    await opened.close()


async def ask(way: HttpUpstream, method: str = "POST", *, is_listening: bool = False) -> Failure | int:
    """What becomes of a request: the status of its answer, or how it failed."""
    body = b"{}" if method == "POST" else None
    try:
        answer = await way.send(method, [], body, grant="alice", timeout_s=0.05, is_listening=is_listening)
    except UpstreamError as error:
        return error.failure
    answer.close()
    return answer.status


async def test_a_server_that_cannot_be_reached_is_given_up(upstream: ScriptedUpstream, guarded: HttpUpstream):
    """The call after the last failure is not run, says so and says when to try again."""
    await upstream.stop()
    assert [await ask(guarded) for _ in range(2)] == [Failure.DOWN, Failure.DOWN]
    assert guarded.is_given_up
    with pytest.raises(
        UpstreamError, match=r"again and again, so the call was not run\. Try again in [4-6] s"
    ) as caught:
        await guarded.send("POST", [], b"{}", grant="alice", timeout_s=0.05)
    assert (caught.value.failure, caught.value.may_have_run) == (Failure.DOWN, False)


async def test_a_server_that_says_it_has_failed_is_given_up(upstream: ScriptedUpstream, guarded: HttpUpstream):
    """500 and above count, and nothing more arrives there."""
    upstream.script = answering(lambda: web.Response(status=502))
    assert [await ask(guarded) for _ in range(3)] == [502, 502, Failure.DOWN]
    assert len(upstream.received) == 2


@pytest.mark.parametrize("status", [200, 400, 404, 429])
async def test_an_answer_of_any_other_kind_is_no_failure(
    upstream: ScriptedUpstream, guarded: HttpUpstream, status: int
):
    """Neither what went well nor what the agent is told that it did wrong."""
    upstream.script = answering(lambda: web.Response(status=status))
    assert [await ask(guarded) for _ in range(4)] == [status] * 4
    assert not guarded.is_given_up


async def test_a_slow_server_is_not_given_up(upstream: ScriptedUpstream, guarded: HttpUpstream):
    """It takes connections and answers nothing, as one with a single thread does while that is busy."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return web.Response()

    upstream.script = script
    assert [await ask(guarded) for _ in range(4)] == [Failure.TIMEOUT] * 4
    assert not guarded.is_given_up


async def test_nobody_can_have_a_server_given_up_by_its_streams(upstream: ScriptedUpstream, guarded: HttpUpstream):
    """Servers fail on a Last-Event-ID of any agent's making; calls go on."""
    upstream.script = answering(lambda: web.Response(status=500))
    assert [await ask(guarded, "GET", is_listening=True) for _ in range(3)] == [500] * 3
    assert not guarded.is_given_up


async def test_a_pool_without_room_says_nothing_of_the_server(
    upstream: ScriptedUpstream, guarded: HttpUpstream, monkeypatch: pytest.MonkeyPatch
):
    """That all our connections are in use is no failure of the server's."""
    monkeypatch.setattr("gateway.proxy.http_upstream.MAX_CONNECTIONS", 1)
    monkeypatch.setattr("gateway.proxy.http_pool.CONNECT_TIMEOUT_S", 0.01)
    guarded.open()

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return web.Response()

    upstream.script = script
    first = asyncio.ensure_future(guarded.send("POST", [], b"{}", grant="alice", timeout_s=5))
    await asyncio.sleep(0.05)
    assert [await ask(guarded) for _ in range(3)] == [Failure.DOWN] * 3
    assert not guarded.is_given_up
    upstream.released.set()
    (await first).close()
