"""What is under way: ids of one session, streams of one grant, and the end of all of it."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from gateway.proxy.reply import Refusal
from gateway.proxy.underway import MAX_STREAMS, Underway
from tests.support.gateways import RunningGateway, is_allowed, tool_call
from tests.support.messages import request
from tests.support.upstream import ScriptedUpstream, open_stream
from tests.support.waiting import eventually

INITIALIZE = request("initialize", 0, protocolVersion="2025-11-25").body


def test_an_id_is_one_requests_until_it_is_let_go():
    """7 and "7" are one id; other sessions and servers have their own; a released id may be used again."""
    underway = Underway()
    release = underway.hold_id("s", "session", 7)
    with pytest.raises(Refusal) as raised:
        underway.hold_id("s", "session", "7")
    assert (raised.value.status, raised.value.code, raised.value.id) == (400, -32600, "7")
    underway.hold_id("s", "other session", 7)
    underway.hold_id("other server", "session", 7)
    release()
    underway.hold_id("s", "session", "7")


async def test_a_grants_streams_are_capped():
    """The one too many is 503 with Retry-After; another grant has room, and so has this one after an end."""
    underway = Underway()
    releases = [underway.hold_stream("binassist", "alice") for _ in range(MAX_STREAMS)]
    with pytest.raises(Refusal) as raised:
        underway.hold_stream("binassist", "alice")
    assert (raised.value.status, raised.value.headers["Retry-After"]) == (503, "10")
    underway.hold_stream("binassist", "bob")
    releases[0]()
    underway.hold_stream("binassist", "alice")


async def test_a_stream_that_carries_answers_is_not_cut_by_the_drain():
    """It counts among the grant's streams, and is given the time that calls are."""
    underway, cut = Underway(), []

    async def stream(carries_answers: bool) -> None:
        with underway.exchange():
            underway.hold_stream("binassist", "alice", carries_answers=carries_answers)
            try:
                await underway.draining.wait()
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                cut.append(carries_answers)

    streams = [asyncio.ensure_future(stream(carries_answers)) for carries_answers in (True, False)]
    await asyncio.sleep(0)
    await underway.drain(1)
    await asyncio.gather(*streams)
    assert cut == [False]


async def test_nothing_is_taken_once_the_drain_has_begun():
    """503, told to come back."""
    underway = Underway()
    underway.check_open()
    await underway.drain(0)
    with pytest.raises(Refusal, match="stopping"):
        underway.check_open()


async def test_who_is_cut_off_has_time_for_last_words():
    """Work under `until_cut` gets a TimeoutError when the drain's time is up, and can say so; later work at once."""
    underway, said = Underway(), []

    async def work(name: str) -> None:
        with underway.exchange():
            try:
                async with underway.until_cut():
                    await asyncio.Event().wait()
            except TimeoutError:
                await asyncio.sleep(0)
                said.append(name)

    first = asyncio.ensure_future(work("first"))
    await asyncio.sleep(0)
    await underway.drain(0.01)
    await asyncio.gather(first, work("second"))
    assert said == ["first", "second"]


@pytest.mark.parametrize("leaves", [False, True], ids=["still there", "gone"])
async def test_an_id_in_flight_in_a_session_is_refused(
    gateway: RunningGateway, upstream: ScriptedUpstream, leaves: bool
):
    """F22: while a call runs, also after its legacy agent has left, its id is not forwarded a second time."""
    async with gateway.client.post(gateway.url, json=INITIALIZE, headers=gateway.headers()) as response:
        session_id = response.headers["Mcp-Session-Id"]

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message["method"] == "tools/call":
            await server.released.wait()
        return server.default_answer(message)

    upstream.script = script
    headers = gateway.headers(Mcp_Session_Id=session_id)
    first = asyncio.ensure_future(
        gateway.client.post(gateway.url, json=tool_call("cancel_task", id=7), headers=headers)
    )
    await eventually(lambda: upstream.calls("cancel_task"))
    if leaves:
        first.cancel()
        await eventually(lambda: not gateway.connections())
    list_request = {"jsonrpc": "2.0", "id": "7", "method": "tools/list"}
    status, answer = await gateway.post(list_request, Mcp_Session_Id=session_id)
    assert (status, answer["error"]["code"]) == (400, -32600)
    upstream.released.set()
    if not leaves:
        assert is_allowed(await (await first).json())
    await eventually(lambda: gateway.records()[-1]["type"] == "outcome")
    status, _ = await gateway.post(list_request, Mcp_Session_Id=session_id)
    assert status == 200


async def test_streams_of_one_grant_do_not_keep_anothers_call_waiting(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """With one grant's streams at their cap, the next is refused and other calls pass as ever."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message is not None:
            return server.default_answer(message)
        response = await open_stream(request)
        await server.released.wait()
        return response

    upstream.script = script
    streams = [await gateway.client.get(gateway.url, headers=gateway.headers()) for _ in range(MAX_STREAMS)]
    refused = await gateway.client.get(gateway.url, headers=gateway.headers())
    assert refused.status == 503
    assert is_allowed(await gateway.call(grant="other"))
    for stream in streams:
        stream.close()
