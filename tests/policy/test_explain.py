"""Explanations agree with decisions, and show what was looked at and never a value of an argument."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from gateway.policy.decision import Call, Kind, Verdict
from gateway.policy.engine import NO_POLICY, Engine
from gateway.policy.explain import Explanation, LimitState, Result, Stage, explain
from gateway.policy.load import load_policy
from gateway.policy.memory_budget import MemoryBudget, MemoryTable
from gateway.policy.tables import compile_policy
from gateway.policy.windows import MINUTE_NS, SECOND_NS
from tests.support.explanations import decisive, decisive_of
from tests.support.policies import Caller, caller, document
from tests.support.random_policies import CALLS, POLICIES


def explained(grant: Caller, tool: str, /, **arguments: Any) -> Explanation:
    """The explanation of a call that the grant could make now."""
    now_ns, wall_ns = grant.clock.monotonic_ns(), grant.clock.wall_ns()
    return explain(grant.engine, Call(Kind.TOOL, tool, arguments), grant.budget, now_ns, wall_ns)


@settings(max_examples=80, deadline=None)
@given(policy=POLICIES, calls=CALLS)
def test_an_explanation_agrees_with_the_decision(policy: Any, calls: Any):
    """For any policy and calls: the decision itself, and the verdict and rule of the decisive step."""
    engine = Engine(compile_policy(load_policy(document(policy))))
    budget = MemoryBudget(engine.policy.counters)
    busy = {f"{place}/concurrency": 1 for place in ("/tools/t", "/all_tools", "/tools/t*")}
    now_ns = 10 * MINUTE_NS
    for made in calls:
        now_ns += made["after"] * SECOND_NS
        budget.busy |= busy if made["after"] else {}
        call = Call(Kind.TOOL, made["tool"], made["arguments"], made["approved"], made["free"])
        within = budget.in_session(made["session"])
        explanation = explain(engine, call, within, now_ns, now_ns)
        decision = engine.decide(call, within, now_ns, now_ns)
        assert explanation.decision == msgspec.structs.replace(decision, receipt=None)
        assert decisive(explanation) == decisive_of(decision)


def test_every_step_is_there_in_the_order_of_evaluation():
    """Also those after the decisive one, so that an author sees what else would refuse."""
    rule = {"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}
    limits = [{"counter": "c", "window": "minute", "max": 1}]
    rules = {"limits": limits, "concurrency": 2, "approve_if": [rule], "arguments": {}}
    grant = caller(tools={"t": {**rules, "deny_if": [rule], "require": [rule]}})
    explanation = explained(grant, "t", a=2)
    assert [step.stage for step in explanation.steps] == list(Stage)[:2] + list(Stage)[3:]
    assert explanation.decisive is not None
    assert explanation.decisive.rule == "/tools/t/require/args.a-eq"


@pytest.mark.parametrize(
    ("arguments", "met", "result"),
    [
        ({"a": [{"b": 1}, {"b": "secret"}]}, "a number, a string", Result.MISTYPED),
        ({"a": [{"b": 1}]}, "a number", Result.HOLDS),
        ({"a": [{"b": 2}, {}]}, "a number, nothing", Result.FAILS),
        ({"a": []}, "no elements", Result.FAILS),
        ({}, "nothing", Result.FAILS),
        ({"a": "secret"}, "a string at args.a", Result.MISTYPED),
    ],
)
def test_a_condition_shows_the_types_it_met(arguments: Any, met: str, result: Result):
    """And whether it held; the values stay out."""
    rule = {"conditions": [{"path": "args.a[*].b", "op": "eq", "value": 1}]}
    explanation = explained(caller(tools={"t": {"require": [rule]}}), "t", **arguments)
    (test,) = [test for step in explanation.steps for test in step.tests]
    assert (test.met, test.result) == (met, result)
    assert b"secret" not in msgspec.json.encode(explanation.steps)


def test_a_limit_shows_what_is_left_and_when_the_call_passes():
    """As it is before the call; asking spends nothing."""
    limit = {"counter": "c", "window": "minute", "max": 2}
    grant = caller(tools={"t": {"limits": [limit]}})
    grant.call("t")
    for _ in range(3):
        state = explained(grant, "t").steps[-1].limit
        assert state == LimitState("c", 2, MINUTE_NS, "grant", cost=1, remaining=1, wait_ms=0)
    grant.call("t")
    grant.clock.advance(seconds=20)
    state = explained(grant, "t").steps[-1].limit
    assert state == LimitState("c", 2, MINUTE_NS, "grant", cost=1, remaining=0, wait_ms=40_000)


@pytest.mark.parametrize(
    ("arguments", "cost", "wait_ms"), [({"n": 4}, 4, 0), ({"n": 4.0}, 4, 0), ({"n": 9}, 9, None), ({}, None, None)]
)
def test_a_limit_shows_what_the_call_costs(arguments: Any, cost: int | None, wait_ms: int | None):
    """A cost that cannot be, or that never fits, has no time at which it passes."""
    limit = {"counter": "c", "window": "minute", "max": 5, "increment_from": "args.n"}
    state = explained(caller(tools={"t": {"limits": [limit]}}), "t", **arguments).steps[-1].limit
    assert state is not None
    assert (state.cost, state.wait_ms) == (cost, wait_ms)


def test_a_cost_that_never_fits_decides_before_a_wait():
    """As in the core, whichever limit is written first."""
    limits = [
        {"counter": "few", "window": "minute", "max": 1},
        {"counter": "sum", "window": "minute", "max": 5, "increment_from": "args.n"},
    ]
    grant = caller(tools={"t": {"limits": limits}})
    grant.call("t", n=1)
    explanation = explained(grant, "t", n=6)
    assert decisive(explanation) == (Verdict.DENY, "/tools/t/limits/sum")
    assert explanation.decision.rule == "/tools/t/limits/sum"


def test_what_is_in_shadow_mode_is_marked_and_decides_nothing():
    """Rules and limits alike."""
    limit = {"counter": "c", "window": "minute", "max": 1, "mode": "shadow"}
    grant = caller(tools={"t": {"deny_if": [{"conditions": [], "mode": "shadow"}], "limits": [limit]}})
    grant.call("t")
    explanation = explained(grant, "t")
    shadow = [(step.stage, step.verdict) for step in explanation.steps if step.is_shadow]
    assert shadow == [(Stage.DENY_IF, Verdict.DENY), (Stage.LIMITS, Verdict.THROTTLE)]
    assert explanation.decisive is None


@pytest.mark.parametrize(
    ("tool", "steps"),
    [
        ("secret", [(Stage.HIDDEN, "(hidden)")]),
        ("other", [(Stage.HIDDEN, "(hidden)"), (Stage.ENTRY, "(default deny)")]),
        ("ab", [(Stage.HIDDEN, "(hidden)"), (Stage.ENTRY, "(ambiguous)")]),
        ("no", [(Stage.HIDDEN, "(hidden)"), (Stage.ENTRY, "/tools/no"), (Stage.ACTION, "/tools/no/action")]),
    ],
)
def test_what_a_name_decides_is_explained_by_the_name(tool: str, steps: Any):
    """The steps up to the one that refuses."""
    grant = caller(hide=["secret"], tools={"no": {"action": "deny"}, "a*": {}, "a*b": {}})
    explanation = explained(grant, tool)
    assert [(step.stage, step.rule) for step in explanation.steps] == steps
    assert explanation.decisive is explanation.steps[-1]


def test_a_grant_without_a_policy_is_explained_too():
    """There is one step."""
    explanation = explain(NO_POLICY, Call(Kind.TOOL, "t", {}), MemoryBudget(()), 1, 1)
    assert decisive(explanation) == (Verdict.DENY, "(no policy)")
    assert len(explanation.steps) == 1


def test_a_table_that_is_full_is_the_limits_doing():
    """The step names what refused."""
    engine = caller(tools={"t": {"limits": [{"counter": "c", "window": "minute", "max": 1}]}}).engine
    budget = MemoryBudget(engine.policy.counters, MemoryTable(room=0))
    explanation = explain(engine, Call(Kind.TOOL, "t", {}), budget, 1, 1)
    assert decisive(explanation) == (Verdict.ERROR, "(counters full)")
