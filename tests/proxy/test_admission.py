"""Turns: who has one, who waits, who is turned away."""

import asyncio
from typing import Any, Final

import pytest
from aiohttp import web

from gateway.bounds import Bounds
from gateway.proxy.admission import ALL_AFTER_S, LISTS_AFTER_S, Admission, OverloadedError
from gateway.proxy.loop_lag import LoopLag
from tests.functional.conftest import StartGateway
from tests.support.gateways import ALLOW_ALL, RunningGateway, decision_of, is_allowed
from tests.support.messages import request
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import eventually

ALICE: Final = ("binassist", "alice")
BOB: Final = ("binassist", "bob")
ASKS: Final = {
    "version": "1",
    "default": "deny",
    "tools": {"cancel_task": {"action": "require_approval", "approval": {"hold": "20s"}}},
}
BOUNDS: Final = Bounds(requests=3, requests_per_grant=2, wait_s=5)


def admission(bounds: Bounds = BOUNDS) -> Admission:
    return Admission(lambda: bounds, LoopLag(lambda: bounds.lag_s))


async def queue(turns: Admission, *owners: tuple[str, str]) -> list[asyncio.Task[None]]:
    """So many that ask for their turn, one after the other."""
    asked = [asyncio.ensure_future(turns.turn(owner)) for owner in owners]
    for _ in range(3):
        await asyncio.sleep(0)
    return asked


async def test_turns_are_taken_in_order_as_far_as_each_grant_may():
    """A grant at its bound waits and keeps nobody else waiting; with all turns taken the longest waiter is next."""
    turns = admission()
    asked = await queue(turns, ALICE, ALICE, ALICE, BOB, BOB)
    assert [one.done() for one in asked] == [True, True, False, True, False]
    turns.leave(BOB)
    await asyncio.sleep(0)
    assert [one.done() for one in asked] == [True, True, False, True, True]
    turns.leave(ALICE)
    await asyncio.gather(*asked)
    assert turns.waiting == 0


async def test_as_many_wait_as_are_under_way():
    """One more of the grant, or of all grants together, is turned away at once."""
    turns = admission()
    asked = await queue(turns, ALICE, ALICE, ALICE, ALICE)
    with pytest.raises(OverloadedError, match="This grant has 2 requests under way and as many waiting"):
        await turns.turn(ALICE)
    asked += await queue(turns, BOB, BOB)
    with pytest.raises(OverloadedError, match="The gateway has 3 requests"):
        await turns.turn(BOB)
    for one in asked:
        one.cancel()


async def test_nobody_waits_for_ever():
    """After the bound the request is turned away, and its place in the queue is free."""
    turns = admission(Bounds(requests=1, requests_per_grant=1, wait_s=0.01))
    await turns.turn(ALICE)
    with pytest.raises(OverloadedError, match=r"It waited 0\.01 s for its turn, so it was not run"):
        await turns.turn(ALICE)
    assert turns.waiting == 0
    turns.leave(ALICE)
    await turns.turn(ALICE)


async def test_nobody_is_kept_out_by_others():
    """With every turn taken, a grant that has none gets one; its second waits."""
    turns = admission()
    await queue(turns, ALICE, ALICE, ("binassist", "carol"))
    first, second = await queue(turns, BOB, BOB)
    assert (first.done(), second.done()) == (True, False)
    second.cancel()


async def test_whoever_leaves_the_queue_loses_no_turn():
    """One that is cancelled while it waits is skipped; one that is cancelled with its turn in hand passes it on."""
    carol, dave = ("binassist", "carol"), ("binassist", "dave")
    turns = admission(Bounds(requests=3, requests_per_grant=1))
    for owner in (ALICE, carol, dave):
        await turns.turn(owner)
    gone, late, last = await queue(turns, ALICE, carol, dave)
    gone.cancel()
    await asyncio.sleep(0)
    assert turns.waiting == 2
    turns.leave(carol)
    late.cancel()
    await asyncio.gather(late, return_exceptions=True)
    assert (late.cancelled(), last.done()) == (True, False)
    turns.leave(dave)
    await last
    await turns.turn(carol)


async def test_who_steps_aside_gives_its_turn_to_others():
    """The next one has it at once; who comes back does not wait, and both count until they leave."""
    turns = admission(Bounds(requests=1, requests_per_grant=1))
    await turns.turn(ALICE)
    with turns.aside(ALICE):
        await turns.turn(ALICE)
    (waiting,) = await queue(turns, ALICE)
    turns.leave(ALICE)
    await asyncio.sleep(0)
    assert not waiting.done()
    turns.leave(ALICE)
    await waiting


def test_a_late_loop_turns_lists_away_before_calls():
    """After a second lists, after two everything; in time again, nothing."""
    lag = LoopLag(lambda: 0.1)
    turns = Admission(lambda: BOUNDS, lag)

    def refused() -> list[bool]:
        kinds = []
        for is_list in (True, False):
            try:
                turns.check_load(is_list=is_list)
                kinds.append(False)
            except OverloadedError:
                kinds.append(True)
        return kinds

    seen = []
    for lateness in (0.0, LISTS_AFTER_S, ALL_AFTER_S, 0.0):
        lag.late_s = lateness
        seen.append(refused())
    assert seen == [[False, False], [True, False], [True, True], [False, False]]


async def held(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """Answers calls when the test lets it."""
    if message["method"] == "tools/call":
        await server.released.wait()
    return server.default_answer(message)


async def test_an_agent_is_told_at_once_that_there_is_no_room(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """One request runs, one waits and runs after it; the third is an answer, recorded, and nothing is spent on it."""
    upstream.script = held
    gateway = await start_gateway({"open": ALLOW_ALL})
    bounds = {"requests": 1, "requests_per_grant": 1}
    assert await gateway.reload(lambda document: document.update(bounds=bounds))
    first = asyncio.ensure_future(gateway.call(grant="open"))
    await eventually(lambda: upstream.calls("cancel_task") == 1)
    second = asyncio.ensure_future(gateway.call(grant="open", id=2))
    await eventually(lambda: _waiting(gateway) == 1)
    call = await gateway.call(grant="open", id=3)
    assert (call["id"], call["result"]["isError"], decision_of(call)["rule"]) == (3, True, "(overloaded)")
    status, listed = await gateway.post(request("tools/list", 4).body, grant="open")
    assert (status, listed["id"], listed["error"]["code"]) == (200, 4, -32603)
    told = await gateway.post({"jsonrpc": "2.0", "method": "notifications/initialized"}, grant="open")
    assert told[0] == 202
    upstream.released.set()
    assert all(map(is_allowed, await asyncio.gather(first, second)))
    assert upstream.calls("cancel_task") == 2
    overloaded = [record for record in gateway.records() if record.get("rule") == "(overloaded)"]
    assert [(record["verdict"], record["method"]) for record in overloaded] == [
        ("error", "tools/call"),
        ("error", "tools/list"),
    ]


async def test_a_call_that_waits_for_a_person_takes_up_no_room(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """While it is held other calls run; approved, it runs without waiting for a turn."""
    gateway = await start_gateway({"asks": ASKS, "open": ALLOW_ALL})
    bounds = {"requests": 1, "requests_per_grant": 1}
    assert await gateway.reload(lambda document: document.update(bounds=bounds))
    pending = asyncio.ensure_future(gateway.call("cancel_task", grant="asks"))
    await eventually(lambda: any(record.get("event") == "asked" for record in gateway.records()))
    assert is_allowed(await gateway.call("get_code", grant="open"))
    (approval,) = [record["id"] for record in gateway.records() if record.get("event") == "asked"]
    upstream.script = held
    busy = asyncio.ensure_future(gateway.call("get_code", grant="open"))
    await eventually(lambda: upstream.calls("get_code") == 2)
    assert (await gateway.api("POST", f"approvals/{approval}/approve"))[0] == 200
    await eventually(lambda: upstream.calls("cancel_task") == 1)
    upstream.released.set()
    assert is_allowed(await pending)
    assert is_allowed(await busy)


async def test_who_hangs_up_while_it_waits_is_not_judged(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """Nothing is sent to the server for it, and the record says that it has gone."""
    upstream.script = held
    gateway = await start_gateway({"open": ALLOW_ALL})
    assert await gateway.reload(lambda document: document.update(bounds={"requests": 1, "requests_per_grant": 1}))
    first = asyncio.ensure_future(gateway.call(grant="open"))
    await eventually(lambda: upstream.calls("cancel_task") == 1)
    second = asyncio.ensure_future(gateway.call("get_code", grant="open"))
    await eventually(lambda: _waiting(gateway) == 1)
    second.cancel()
    await eventually(lambda: _waiting(gateway) == 0)
    await eventually(lambda: any(record.get("reason") == "gone" for record in gateway.records()))
    upstream.released.set()
    assert is_allowed(await first)
    assert upstream.calls("get_code") == 0


def _waiting(gateway: RunningGateway) -> float | None:
    return gateway.gateway._metrics.registry.get_sample_value("mcp_gateway_waiting")
