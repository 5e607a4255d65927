"""What a policy decides, on both cores: the cases of `tests/vectors/policy`, and what always holds."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import fastpath
from gateway.documents import read_document
from gateway.errors import StateError
from gateway.policy.cases import load_cases, run_case
from gateway.policy.compiled import CallTable
from gateway.policy.decision import Call, Decision, Kind, LimitStatus, Verdict
from gateway.policy.engine import NO_POLICY, Engine
from gateway.policy.load import load_policy
from gateway.policy.memory_budget import MemoryBudget, MemoryTable
from gateway.policy.tables import compile_policy
from tests.support.explanations import decisive, decisive_of
from tests.support.policies import Caller, caller, engine
from tests.support.random_policies import ARGUMENTS, RULES

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "tests" / "vectors" / "policy"
EXAMPLES = ROOT / "gateway" / "catalog" / "policies"


def vectors(name: str) -> list[Any]:
    """The cases of one file of vectors."""
    value = read_document((VECTORS / name).read_text(), name, "yaml").value
    assert isinstance(value, list)
    return value


TABLES = ("conditions.yaml", "elements.yaml")
FILES = sorted(path.name for path in VECTORS.glob("*.yaml") if path.name not in TABLES)
CASES = [case for name in FILES for case in vectors(name)]
CONDITIONS, ELEMENTS = map(vectors, TABLES)


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("name", FILES)
def test_calls_are_decided_as_the_cases_say(name: str):
    """Each call gets its verdict, its rule and whatever else is given; shadow, holds and kept where they are not."""
    cases = load_cases(read_document((VECTORS / name).read_text(), name, "yaml"))
    for index, case in enumerate(cases.cases):
        outcomes = list(run_case(cases, index, None))
        assert len(outcomes) == len(case.calls)
        for expected, outcome in zip(case.calls, outcomes, strict=True):
            assert outcome.mismatches == (), f"{case.name}, {outcome.place}"
            assert expected.shadow is not None or outcome.decision.shadow == (), outcome.place
            assert expected.holds is not None or outcome.decision.holds == (), outcome.place
            assert expected.kept is not None or outcome.kept == {}, outcome.place


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("name", FILES)
def test_every_case_is_explained_as_it_is_decided(name: str):
    """The explanation says the same of each call, and its decisive step is by the rule that has decided."""
    cases = load_cases(read_document((VECTORS / name).read_text(), name, "yaml"))
    for index in range(len(cases.cases)):
        for outcome in run_case(cases, index, None):
            explained = outcome.explanation
            assert explained.decision == msgspec.structs.replace(outcome.decision, receipt=None), outcome.place
            assert decisive(explained) == decisive_of(outcome.decision), outcome.place


def test_there_are_many_cases():
    """The language has so many corners."""
    calls = sum(len(case["calls"]) for case in CASES)
    rows = sum(len(row[outcome]) for row in CONDITIONS for outcome in ("holds", "fails", "mistyped"))
    assert calls + rows + len(ELEMENTS) >= 600


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize("row", CONDITIONS, ids=lambda row: " ".join(map(str, row["condition"].values())))
def test_conditions_keep_the_table(row: dict[str, Any]):
    """`require` passes what holds and nothing else; `deny_if` passes what fails and nothing else."""
    rules = [{"conditions": [row["condition"]]}]
    grant = caller(tools={"require": {"require": rules}, "deny_if": {"deny_if": rules}})
    for outcome in ("holds", "fails", "mistyped"):
        for arguments in row[outcome]:
            required, denied = grant.call("require", **arguments), grant.call("deny_if", **arguments)
            assert (required.verdict is Verdict.ALLOW) == (outcome == "holds"), arguments
            assert (denied.verdict is Verdict.ALLOW) == (outcome == "fails"), arguments
            assert ("the call sent" in denied.message) == (outcome == "mistyped"), arguments


@pytest.mark.usefixtures("core")
@pytest.mark.parametrize(
    "row", ELEMENTS, ids=lambda row: f"{' '.join(map(str, row['condition'].values()))} {row['arguments']}"
)
def test_a_rule_about_each_element_keeps_the_table(row: dict[str, Any]):
    """`require` wants all of them and at least one; for `deny_if` and `approve_if` one is enough."""
    rules = [{"conditions": [row["condition"]]}]
    grant = caller(tools={part: {part: rules} for part in ("require", "deny_if", "approve_if")})
    assert grant.call("require", **row["arguments"]).verdict == row["require"]
    assert grant.call("deny_if", **row["arguments"]).verdict == row["deny_if"]
    asks = grant.call("approve_if", **row["arguments"]).verdict is Verdict.PENDING
    assert asks is (row["deny_if"] == "deny")


@pytest.mark.usefixtures("core")
def test_the_published_policy_for_cancel_task_works_as_written():
    """Ten calls in a minute pass for a grant, the eleventh does not; another grant has its own ten."""
    text = (EXAMPLES / "cancel_task.json").read_text()
    engine = Engine(compile_policy(load_policy(read_document(text, "cancel_task.json", "json"))))
    alice, bob = Caller(engine), Caller(engine)
    for _ in range(10):
        assert alice.call("cancel_task", task_id="t").verdict is Verdict.ALLOW
        alice.clock.advance(seconds=1.88)
    refused = alice.call("cancel_task", task_id="t")
    assert refused == Decision(
        Verdict.THROTTLE,
        "/tools/cancel_task/limits/cancel_task_rate",
        "cancel_task is limited to 10 calls a minute. Try again in 41.2 s.",
        LimitStatus(counter="cancel_task_rate", limit=10, remaining=0, retry_after_ms=41_200),
    )
    assert alice.call("list_tasks").rule == "(default deny)"
    assert all(bob.call("cancel_task").verdict is Verdict.ALLOW for _ in range(10))
    alice.clock.advance(ns=41_200_000_000 - 1)
    assert alice.call("cancel_task").verdict is Verdict.THROTTLE
    alice.clock.advance(ns=1)
    assert alice.call("cancel_task").verdict is Verdict.ALLOW


def test_a_grant_sees_only_what_it_could_call():
    """Hidden, denied and always-denied tools are not seen; a tool with rules or a spent limit is."""
    rule = {"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}
    tools = {
        "open": {},
        "ruled": {"require": [rule], "deny_if": [rule]},
        "never": {"deny_if": [rule, {"conditions": []}]},
        "denied": {"action": "deny"},
        "hidden_one": {},
        "limited": {"limits": [{"counter": "c", "window": "day", "max": 1}]},
    }
    grant = caller(hide=["hidden_*"], tools=tools)
    grant.call("limited")
    seen = [tool for tool in [*tools, "unlisted"] if grant.engine.sees(Kind.TOOL, tool)]
    assert seen == ["open", "ruled", "limited"]


def test_under_default_allow_unlisted_tools_are_seen_unless_hidden():
    """What the policy does not name follows `default` and `hide`."""
    judge = engine(default="allow", hide=["secret"])
    assert judge.sees(Kind.TOOL, "anything")
    assert not judge.sees(Kind.TOOL, "secret")
    assert judge.sees(Kind.PROMPT, "secret")
    assert not engine().sees(Kind.RESOURCE, "a://b")


def test_a_grant_without_a_policy_may_do_nothing():
    """Every call is denied by `(no policy)` and no tool is seen."""
    call = Call(Kind.TOOL, "open_binary", {})
    decision = NO_POLICY.decide(call, MemoryBudget(()), 0, 0)
    assert (decision.verdict, decision.rule) == (Verdict.DENY, "(no policy)")
    assert decision.message == "This grant has no policy, so every call is denied."
    assert NO_POLICY.access(Kind.RESOURCE, "a://b") == decision
    assert not NO_POLICY.sees(Kind.TOOL, "open_binary")
    assert NO_POLICY.kept(call) == {}


def test_counters_are_bound_when_a_call_first_meets_them():
    """A counter that no call has met takes no room, and one that is bound is not bound again."""
    grant = caller(
        tools={
            "a": {"limits": [{"counter": name, "window": "minute", "max": 9} for name in ("one", "two")]},
            "b": {"limits": [{"counter": "three", "window": "minute", "max": 9}]},
        }
    )
    assert len(grant.budget.table) == 0
    grant.call("a")
    grant.call("a")
    assert len(grant.budget.table) == 2


def test_a_call_that_cannot_be_counted_is_refused():
    """A full table of counters is our fault: the call is refused as an error, and spends nothing."""
    judge = engine(tools={"t": {"limits": [{"counter": n, "window": "minute", "max": 9} for n in "ab"]}})
    budget = MemoryBudget(judge.policy.counters, MemoryTable(room=1))
    decision = judge.decide(Call(Kind.TOOL, "t", {}), budget, 1, 1)
    assert (decision.verdict, decision.rule) == (Verdict.ERROR, "(counters full)")
    assert decision.message == ("The gateway has no room to count this call of t; its operator can make some.")
    table = judge.policy.entry_of(Kind.TOOL, "t").judge
    assert isinstance(table, CallTable)
    assert fastpath.remaining(table.limits[0].core, budget.words, budget.slots, 1, 1) == 9


def test_a_counter_that_does_not_stay_bound_is_an_error():
    """A damaged table of counters ends in an error, never in an endless loop or an uncounted call."""
    judge = engine(tools={"t": {"limits": [{"counter": "c", "window": "minute", "max": 9}]}})

    class Forgetful(MemoryBudget):
        def bind(self, slot: int) -> None:
            pass

    with pytest.raises(StateError, match="'c' does not stay bound"):
        judge.decide(Call(Kind.TOOL, "t", {}), Forgetful(judge.policy.counters), 1, 1)


def test_a_call_that_can_never_fit_is_denied(monkeypatch: pytest.MonkeyPatch):
    """Waiting would not help, so it is a denial by the limit, not a throttle."""
    grant = caller(tools={"t": {"limits": [{"counter": "c", "window": "minute", "max": 9}]}})
    monkeypatch.setattr(fastpath, "decide", lambda *_: (fastpath.NEVER_FITS, 0, 0, None))
    decision = grant.call("t")
    assert (decision.verdict, decision.rule) == (Verdict.DENY, "/tools/t/limits/c")
    assert decision.message == "One call of t costs more than the limit of 9 calls a minute ever admits."


def test_an_answer_of_the_core_that_is_not_known_allows_nothing(monkeypatch: pytest.MonkeyPatch):
    """A core that is newer than the engine ends in an error, which the gate turns into a refusal."""
    grant = caller(tools={"t": {}})
    monkeypatch.setattr(fastpath, "decide", lambda *_: (99, 0, 0, ()))
    with pytest.raises(AssertionError, match="unknown code 99"):
        grant.call("t")


def test_the_receipt_of_a_call_gives_back_what_it_spent():
    """A rolled back call can be made again; a call without limits has no receipt."""
    grant = caller(tools={"t": {"limits": [{"counter": "c", "window": "minute", "max": 1}]}, "free": {}})
    receipt = grant.call("t").receipt
    assert receipt is not None
    assert grant.call("t").verdict is Verdict.THROTTLE
    fastpath.rollback(grant.budget.words, receipt, grant.clock.monotonic_ns())
    assert grant.call("t").verdict is Verdict.ALLOW
    assert grant.call("free").receipt is None


@settings(max_examples=60)
@given(require=RULES, deny_if=RULES, extra=RULES, arguments=ARGUMENTS)
def test_adding_a_rule_never_allows_more(require: Any, deny_if: Any, extra: Any, arguments: Any):
    """A call that is refused stays refused when rules are added to `deny_if` or to `require`."""
    tools = {
        "fewer": {"require": require, "deny_if": deny_if},
        "more_deny_if": {"require": require, "deny_if": [*extra, *deny_if]},
        "more_require": {"require": [*extra, *require], "deny_if": deny_if},
    }
    grant = caller(tools=tools)
    if grant.call("fewer", **arguments).verdict is Verdict.DENY:
        assert grant.call("more_deny_if", **arguments).verdict is Verdict.DENY
        assert grant.call("more_require", **arguments).verdict is Verdict.DENY


@settings(max_examples=60)
@given(require=RULES, deny_if=RULES, arguments=ARGUMENTS, data=st.data())
def test_the_order_of_rules_never_changes_the_verdict(require: Any, deny_if: Any, arguments: Any, data: Any):
    """Rules and conditions in any order allow and deny the same calls."""

    def shuffled(rules: list[Any]) -> list[Any]:
        order = data.draw(st.permutations(rules))
        return [{"conditions": data.draw(st.permutations(rule["conditions"]))} for rule in order]

    tools = {
        "written": {"require": require, "deny_if": deny_if},
        "shuffled": {"require": shuffled(require), "deny_if": shuffled(deny_if)},
    }
    grant = caller(tools=tools)
    assert grant.call("written", **arguments).verdict == grant.call("shuffled", **arguments).verdict


@settings(max_examples=60)
@given(rules=st.fixed_dictionaries(dict.fromkeys(("require", "deny_if", "approve_if"), RULES)), arguments=ARGUMENTS)
def test_what_is_in_shadow_mode_never_changes_the_verdict(rules: Any, arguments: Any):
    """Neither rules of any kind nor limits, however often the call is made."""
    shadow = {part: [{**rule, "mode": "shadow"} for rule in found] for part, found in rules.items()}
    limits = [{"counter": "c", "window": "day", "max": 1, "mode": "shadow"}]
    both = {part: rules[part] + shadow[part] for part in rules}
    tools = {"free": {**shadow, "limits": limits}, "plain": rules, "both": {**both, "limits": limits}}
    grant = caller(tools=tools)
    for _ in range(2):
        assert grant.call("free", **arguments).verdict is Verdict.ALLOW
        plain, with_shadow = grant.call("plain", **arguments), grant.call("both", **arguments)
        assert (with_shadow.verdict, with_shadow.rule.split("/")[3:]) == (plain.verdict, plain.rule.split("/")[3:])


def test_what_shadow_limits_have_spent_is_given_back_too():
    """A call that cannot have run leaves no trace on either kind."""
    limits = [
        {"counter": "c", "window": "day", "max": 1},
        {"counter": "s", "window": "day", "max": 1, "mode": "shadow"},
    ]
    grant = caller(tools={"t": {"limits": limits}})
    receipt = grant.call("t").receipt
    assert receipt is not None
    assert len(receipt) == 2
    fastpath.rollback(grant.budget.words, receipt, grant.clock.monotonic_ns())
    again = grant.call("t")
    assert (again.verdict, again.shadow) == (Verdict.ALLOW, ())


def test_a_shadow_limit_that_finds_no_room_changes_nothing():
    """The table being full is no reason to refuse what is allowed."""
    limits = [{"counter": "s", "window": "day", "max": 1, "mode": "shadow"}]
    judge = engine(tools={"t": {"limits": limits}})
    budget = MemoryBudget(judge.policy.counters, MemoryTable(room=0))
    decision = judge.decide(Call(Kind.TOOL, "t", {}), budget, 1, 1)
    assert (decision.verdict, decision.shadow, decision.receipt) == (Verdict.ALLOW, (), None)


def test_a_list_of_all_shows_what_is_denied_but_not_what_is_hidden():
    """`list: all` is for tools; other lists stay as they are."""
    judge = engine(
        list="all", hide=["secret"], tools={"denied": {"action": "deny"}}, prompts={"p": {"action": "deny"}, "q": {}}
    )
    assert [tool for tool in ("denied", "unlisted", "secret") if judge.sees(Kind.TOOL, tool)] == ["denied", "unlisted"]
    assert [prompt for prompt in "pqr" if judge.sees(Kind.PROMPT, prompt)] == ["q"]


def test_access_is_what_no_arguments_could_change():
    """Denied, hidden, ambiguous or always denied; anything else depends on the call."""
    rule = {"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}
    judge = engine(
        prompts={"ruled": {"require": [rule]}, "never": {"deny_if": [{"conditions": []}]}, "a*": {}, "a*b": {}}
    )
    rules = {name: judge.access(Kind.PROMPT, name).rule for name in ("ruled", "never", "ab", "other")}
    assert rules == {
        "ruled": "/prompts/ruled",
        "never": "/prompts/never/deny_if/always",
        "ab": "(ambiguous)",
        "other": "(default deny)",
    }
    assert judge.access(Kind.PROMPT, "ruled").verdict is Verdict.ALLOW


@pytest.mark.parametrize("part", ["deny_if", "arguments"])
def test_a_pattern_made_to_hang_costs_little(part: str):
    """`^(a+)+$` on 100 KB that almost match takes less than 50 ms of the processor."""
    rules = {
        "deny_if": {"deny_if": [{"conditions": [{"path": "args.a", "op": "regex", "value": "^(a+)+$"}]}]},
        "arguments": {"arguments": {"properties": {"a": {"pattern": "^(a+)+$"}}}},
    }
    grant = caller(tools={"t": rules[part]})
    text = "a" * 100_000 + "!"
    before = time.process_time()
    decision = grant.call("t", a=text)
    assert time.process_time() - before < 0.05
    assert decision.verdict is (Verdict.ALLOW if part == "deny_if" else Verdict.DENY)
