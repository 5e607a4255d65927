"""Past calls, judged by another policy, and never guessed."""

from typing import Any

import pytest
from hypothesis import given, settings

from gateway.policy.decision import Call, Kind, Verdict
from gateway.policy.engine import Engine
from gateway.policy.knowledge import Knowledge
from gateway.policy.load import load_policy
from gateway.policy.memory_budget import MemoryBudget
from gateway.policy.replay import Judgement, PastCall, Replay
from gateway.policy.tables import compile_policy
from gateway.policy.windows import SECOND_NS
from tests.support.policies import document, policy
from tests.support.random_policies import CALLS, POLICIES

START_NS = 1_800_000_000 * SECOND_NS
UNKNOWN = Knowledge(frozenset({"a"}), {})


def past(
    tool: str | None = "t", at_s: float = 0, knowledge: Knowledge = UNKNOWN, id: str = "", **more: Any
) -> PastCall:
    """A call that was allowed."""
    fields: dict[str, Any] = {"verdict": Verdict.ALLOW, "rule": "/tools/t", "grant": "alice", "session": None, **more}
    time_ns = START_NS + round(at_s * SECOND_NS)
    return PastCall(
        id=id, time_ns=time_ns, server="s", policy="p", kind=Kind.TOOL, target=tool, knowledge=knowledge, **fields
    )


def replay(**rules: Any) -> Replay:
    """A replay by a policy with these rules for a tool `t`."""
    return Replay(compile_policy(policy(tools={"t": rules, "free": {}})))


def verdicts(replay: Replay, *calls: PastCall) -> list[Verdict | None]:
    """What becomes of the calls."""
    return [replay.judge(call).verdict for call in calls]


def limit(maximum: int, **more: Any) -> dict[str, Any]:
    """A limit a minute."""
    return {"counter": "c", "window": "minute", "max": maximum, **more}


WHEN_A = {"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}
KNOWN_1, KNOWN_2 = (Knowledge(frozenset({"a"}), {"args.a": value}) for value in (1, 2))


def test_a_call_whose_verdict_is_another_is_changed():
    """A rule alone is no change."""
    judged = replay(deny_if=[WHEN_A]).judge(past(knowledge=KNOWN_1))
    assert (judged.verdict, judged.rule, judged.is_changed) == (Verdict.DENY, "/tools/t/deny_if/args.a-eq", True)
    assert not replay().judge(past(rule="(default allow)")).is_changed
    assert replay().judge(past("other")) == Judgement(past("other"), Verdict.DENY, "(default deny)")


def test_a_value_that_was_not_kept_is_not_guessed():
    """Unless it does not matter."""
    judged = replay(deny_if=[WHEN_A]).judge(past())
    assert (judged.verdict, judged.unknown, judged.is_changed) == (None, ("args.a",), False)
    always: dict[str, Any] = {"conditions": []}
    assert replay(deny_if=[WHEN_A, always]).judge(past()).verdict is Verdict.DENY
    assert replay(deny_if=[WHEN_A, always]).judge(past()).rule == ""
    assert replay(deny_if=[WHEN_A], action="require_approval").judge(past()).verdict is None
    assert replay(deny_if=[WHEN_A]).judge(past(None)).unknown == ("the whole name of what was called",)


def test_limits_are_replayed_with_the_recorded_times():
    """From full counters, apart for each grant and session as the scopes say."""
    judging = replay(limits=[limit(2)])
    calls = [past(at_s=at_s) for at_s in (0, 10, 59.9, 60, 61)]
    assert verdicts(judging, *calls) == ["allow", "allow", "throttle", "allow", "throttle"]
    assert verdicts(judging, past(at_s=61, grant="bob"), past(at_s=61, session="x")) == ["allow", "throttle"]
    by_session = replay(limits=[limit(1, scope="session")])
    assert verdicts(by_session, past(session="x"), past(session="y"), past(session="x")) == [
        "allow",
        "allow",
        "throttle",
    ]


def test_what_was_rolled_back_is_given_back():
    """As it was then."""
    judging = replay(limits=[limit(1)])
    assert verdicts(judging, past(id="1")) == ["allow"]
    judging.end("1", rolled_back=True)
    judging.end("unknown", rolled_back=True)
    assert verdicts(judging, past(id="2")) == ["allow"]
    judging.end("2", rolled_back=False)
    assert verdicts(judging, past(id="3")) == ["throttle"]


def test_a_free_round_spends_nothing():
    """And an approved call is not asked about."""
    judging = replay(limits=[limit(1)], action="require_approval")
    calls = [past(is_free=True, is_approved=True), past(is_approved=True), past(is_approved=True), past()]
    assert verdicts(judging, *calls) == ["allow", "allow", "throttle", "pending"]


def test_places_are_held_until_a_call_is_over():
    """One that did not run then takes none."""
    judging = replay(concurrency=1)
    assert verdicts(judging, past(id="1"), past(id="2")) == ["allow", "throttle"]
    judging.end("1", rolled_back=False)
    denied = past(id="3", verdict=Verdict.DENY)
    assert verdicts(judging, denied, past(id="4")) == ["allow", "allow"]


def test_a_place_that_may_be_held_is_not_guessed():
    """While the call that may hold it is under way."""
    judging = replay(concurrency=1, deny_if=[WHEN_A])
    assert verdicts(judging, past(id="1"), past(id="2", knowledge=KNOWN_2)) == [None, None]
    judging.end("1", rolled_back=False)
    judging.end("2", rolled_back=False)
    assert verdicts(judging, past(id="3", knowledge=KNOWN_2), past(id="4", knowledge=KNOWN_2)) == ["allow", "throttle"]


def test_a_cost_that_was_not_kept_is_not_guessed():
    """One that was is charged."""
    judging = replay(limits=[limit(3, increment_from="args.a")])
    assert verdicts(judging, past(knowledge=KNOWN_2), past(knowledge=KNOWN_2)) == ["allow", "throttle"]
    unknown = judging.judge(past(at_s=61))
    assert (unknown.verdict, unknown.unknown) == (None, ("args.a",))
    # From here on nobody knows how much is left.
    assert judging.judge(past(at_s=62, knowledge=KNOWN_1)).unknown == ("whether calls before it have spent on c",)
    assert verdicts(judging, past(at_s=240, knowledge=KNOWN_1)) == ["allow"]


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window", "token_bucket"])
def test_what_may_have_spent_leaves_doubt_only_where_it_matters(algorithm: str):
    """Calls that fit in any case pass, those that do not are refused in any case; doubt ends with the window."""
    judging = replay(limits=[limit(3, algorithm=algorithm)], deny_if=[WHEN_A])
    assert verdicts(judging, past(), past(knowledge=KNOWN_2), past(knowledge=KNOWN_2)) == [None, "allow", "allow"]
    assert verdicts(judging, past(knowledge=KNOWN_2)) == [None]
    assert verdicts(judging, past(at_s=200, knowledge=KNOWN_2)) == ["allow"]
    full = replay(limits=[limit(1, algorithm=algorithm)], deny_if=[WHEN_A])
    assert verdicts(full, past(knowledge=KNOWN_2), past(), past(knowledge=KNOWN_2)) == ["allow", None, "throttle"]


@settings(max_examples=60, deadline=None)
@given(written=POLICIES, calls=CALLS)
def test_a_replay_under_its_own_policy_changes_nothing(written: Any, calls: Any):
    """For any policy and calls: with all values kept the verdicts are the same, without any they are never others."""
    compiled = compile_policy(load_policy(document(written)))
    engine, budget = Engine(compiled), MemoryBudget(compiled.counters, grant="alice")
    known, unknown = Replay(compiled), Replay(compiled)
    at_s = 0
    for made in calls:
        at_s += made["after"]
        arguments = made["arguments"]
        call = Call(Kind.TOOL, made["tool"], arguments, made["approved"], made["free"])
        now_ns = START_NS + at_s * SECOND_NS
        decision = engine.decide(call, budget.in_session(made["session"]), now_ns, now_ns)
        more = {"verdict": decision.verdict, "rule": decision.rule, "session": made["session"]}
        more |= {"is_approved": made["approved"], "is_free": made["free"]}
        keys = frozenset(arguments)
        kept = Knowledge(keys, {f"args.{key}": value for key, value in arguments.items()})
        judged = known.judge(past(made["tool"], at_s, kept, id="call", **more))
        assert (judged.verdict, judged.rule) == (decision.verdict, decision.rule)
        assert not unknown.judge(past(made["tool"], at_s, Knowledge(keys, {}), id="call", **more)).is_changed
        for replayed in (known, unknown):
            replayed.end("call", rolled_back=False)
