"""The seed's policy through the public door: what the page promises for `cancel_task`."""

import asyncio
import random

import pytest

from tests.functional.conftest import StartGateway
from tests.support.gateways import (
    ALLOW_ALL,
    SEED_POLICY,
    RunningGateway,
    decision_of,
    is_allowed,
    modern,
    tool_call,
)
from tests.support.upstream import ScriptedUpstream

ROOM = {"connections_per_grant": 200, "requests_per_grant": 200}
"""Bounds that leave it to the policy how many calls of one grant are admitted."""


async def test_ten_calls_pass_and_the_eleventh_is_throttled(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Ten calls a minute reach the server; the eleventh names its rule and the wait, and does not."""
    for number in range(10):
        assert is_allowed(await gateway.call(id=number))
    refused = await gateway.call(id="eleventh")
    assert refused["id"] == "eleventh"
    assert refused["result"]["isError"] is True
    decision = decision_of(refused)
    assert decision.pop("id")
    assert decision == {
        "verdict": "throttle",
        "rule": "/tools/cancel_task/limits/cancel_task_rate",
        "retry_after_ms": 60_000,
        "limit": 10,
        "remaining": 0,
    }
    text = refused["result"]["content"][0]["text"]
    assert text == "[POLICY DENIED] cancel_task is limited to 10 calls a minute. Try again in 60 s."
    assert upstream.calls("cancel_task") == 10


async def test_every_other_tool_is_denied_by_default(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A tool that the policy does not list is denied by `(default deny)` and never forwarded."""
    decision = decision_of(await gateway.call("list_tasks"))
    assert (decision["verdict"], decision["rule"]) == ("deny", "(default deny)")
    assert upstream.calls("list_tasks") == 0


async def test_another_grant_has_its_own_ten(gateway: RunningGateway):
    """A limit of scope `grant` is counted apart for each grant of the policy."""
    for number in range(10):
        await gateway.call(id=number)
    assert not is_allowed(await gateway.call())
    assert is_allowed(await gateway.call(grant="other"))


@pytest.mark.parametrize("seed", range(5))
async def test_the_limit_holds_at_any_spacing_and_the_wait_is_exact(gateway: RunningGateway, seed: int):
    """At any spacing the eleventh within a minute is refused; it passes after the wait named, and not 1 ms before."""
    spacing = random.Random(seed)
    for number in range(10):
        assert is_allowed(await gateway.call(id=number))
        gateway.clock.advance(ns=spacing.randrange(5_999_999_999))
    wait_ms = decision_of(await gateway.call())["retry_after_ms"]
    gateway.clock.advance(ns=(wait_ms - 1) * 1_000_000)
    assert not is_allowed(await gateway.call())
    gateway.clock.advance(ns=1_000_000)
    assert is_allowed(await gateway.call())


async def test_two_hundred_at_once_admit_exactly_ten(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Of 200 concurrent calls exactly ten reach the server, by the server's own count."""
    assert await gateway.reload(lambda document: document.update(bounds=ROOM))
    answers = await asyncio.gather(*(gateway.call(id=number) for number in range(200)))
    assert sum(is_allowed(answer) for answer in answers) == 10
    assert upstream.calls("cancel_task") == 10
    assert sorted(answer["id"] for answer in answers) == list(range(200))


async def test_the_list_shows_only_what_may_be_called(gateway: RunningGateway):
    """A grant sees the one tool it may call, and the cursor of the page is kept."""
    _, answer = await gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert [tool["name"] for tool in answer["result"]["tools"]] == ["cancel_task"]
    assert answer["result"]["nextCursor"] == "more"
    _, answer = await gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, grant="open")
    assert len(answer["result"]["tools"]) == 3


@pytest.mark.parametrize(("method", "member"), [("resources/list", "resources"), ("prompts/list", "prompts")])
async def test_lists_of_resources_and_prompts_follow_the_default(gateway: RunningGateway, method: str, member: str):
    """Under `default: deny` other lists are empty; under `allow` they are whole."""
    request = {"jsonrpc": "2.0", "id": 1, "method": method}
    _, denied = await gateway.post(request)
    _, allowed = await gateway.post(request, grant="open")
    assert denied["result"][member] == []
    assert len(allowed["result"][member]) == 1


@pytest.mark.parametrize("method", ["resources/read", "prompts/get", "completion/complete", "resources/subscribe"])
async def test_reads_follow_the_default(gateway: RunningGateway, upstream: ScriptedUpstream, method: str):
    """Under `default: deny` reads get a JSON-RPC error and reach nothing; under `allow` they pass."""
    request = {
        "jsonrpc": "2.0",
        "id": 3,
        "method": method,
        "params": {"uri": "a://b", "name": "p", "ref": {"type": "ref/prompt", "name": "p"}},
    }
    status, denied = await gateway.post(request)
    assert (status, denied["error"]["code"], denied["id"]) == (200, 40301, 3)
    assert decision_of(denied)["rule"] == "(default deny)"
    assert upstream.received == []
    _, allowed = await gateway.post(request, grant="open")
    assert "result" in allowed


async def test_a_grant_without_a_policy_may_do_nothing(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A grant without a policy denies every call and lists nothing."""
    assert decision_of(await gateway.call(grant="bare"))["rule"] == "(no policy)"
    _, answer = await gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, grant="bare")
    assert answer["result"]["tools"] == []
    assert upstream.calls("cancel_task") == 0


async def test_a_modern_agent_gets_the_same_with_a_result_type(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A 2026-07-28 call is judged alike, and its refusal carries `resultType`."""
    message, headers = modern(tool_call("get_code"))
    _, refused = await gateway.post(message, **headers)
    assert refused["result"]["resultType"] == "complete"
    assert decision_of(refused)["rule"] == "(default deny)"
    message, headers = modern(tool_call("cancel_task"))
    _, allowed = await gateway.post(message, **headers)
    assert is_allowed(allowed)
    assert upstream.received[-1].headers["mcp-name"] == "cancel_task"


async def test_a_server_that_is_down_costs_no_budget(gateway: RunningGateway, upstream: ScriptedUpstream):
    """With the server down a call gets an `isError` answer that says so, and its budget is rolled back."""
    await upstream.stop()
    for number in range(12):
        answer = await gateway.call(id=number)
        assert answer["result"]["isError"] is True
        assert decision_of(answer)["rule"] == "(upstream down)"
        why = "cannot be reached" if number < 5 else "has failed again and again"
        assert why in answer["result"]["content"][0]["text"]
    outcome = gateway.records()[-1]
    assert (outcome["type"], outcome["outcome"], outcome["rolled_back"]) == ("outcome", "failed", True)
    await upstream.start(upstream.port)
    gateway.clock.advance(seconds=6)
    answers = [await gateway.call(id=number) for number in range(11)]
    assert [is_allowed(answer) for answer in answers] == [True] * 10 + [False]


async def test_hidden_tools_are_neither_listed_nor_called(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """`hide` leaves a tool out of the list and denies its calls."""
    gateway = await start_gateway({"seed": {**ALLOW_ALL, "hide": ["get_*"]}, "other": SEED_POLICY})
    assert decision_of(await gateway.call("get_code"))["rule"] == "(hidden)"
    _, answer = await gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert [tool["name"] for tool in answer["result"]["tools"]] == ["cancel_task", "list_tasks"]
    assert upstream.calls("get_code") == 0
