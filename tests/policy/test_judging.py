"""One question to the core and its answer; the vectors of `tests/vectors/policy` hold the rest."""

import pytest

from gateway.policy.compiled import CallTable
from gateway.policy.decision import Call, ConcurrencyHold, Kind, Verdict
from gateway.policy.judging import denial_fired, judge
from gateway.policy.memory_budget import MemoryBudget
from tests.support.policies import engine


def table_and_budget(**rules: object) -> tuple[CallTable, MemoryBudget]:
    """The table of a tool `t` with these rules, and counters for it."""
    judge = engine(tools={"t": rules})
    table = judge.policy.entry_of(Kind.TOOL, "t").judge
    assert isinstance(table, CallTable)
    return table, MemoryBudget(judge.policy.counters)


def test_an_allowed_call_says_what_it_takes():
    """Its receipt and its holds; a refused one takes neither."""
    limits = [{"counter": "c", "window": "minute", "max": 1}]
    table, budget = table_and_budget(concurrency=2, limits=limits)
    call = Call(Kind.TOOL, "t", {})
    allowed = judge(table, call, budget, 1, 1)
    assert allowed.receipt is not None
    assert allowed.holds == (ConcurrencyHold("/tools/t/concurrency", 2),)
    refused = judge(table, call, budget, 1, 1)
    assert (refused.verdict, refused.receipt, refused.holds) == (Verdict.THROTTLE, None, ())


def test_a_call_beyond_its_concurrency_spends_nothing():
    """Its limits are not met at all, so that it can be made when another has ended."""
    limits = [{"counter": "c", "window": "minute", "max": 1}]
    table, budget = table_and_budget(concurrency=1, limits=limits)
    budget.busy["/tools/t/concurrency"] = 1
    assert judge(table, Call(Kind.TOOL, "t", {}), budget, 1, 1).rule == "/tools/t/concurrency"
    assert len(budget.table) == 0
    budget.busy.clear()
    assert judge(table, Call(Kind.TOOL, "t", {}), budget, 1, 1).verdict is Verdict.ALLOW


def test_a_check_that_fails_to_run_is_no_permission():
    """What it raises comes out, and whoever asked refuses."""

    class Broken:
        def is_valid(self, arguments: object) -> bool:
            raise RuntimeError("out of memory")

    table, budget = table_and_budget(arguments={})
    broken = type(table.program)((), (), (Broken(),), (), ())
    with pytest.raises(RuntimeError, match="out of memory"):
        judge(CallTable("t", broken), Call(Kind.TOOL, "t", {}), budget, 1, 1)


def test_a_rule_without_conditions_denies_by_its_name():
    """Whatever the call."""
    table, _ = table_and_budget(deny_if=[{"conditions": []}])
    assert table.unconditional_denial is not None
    assert denial_fired("t", table.unconditional_denial).rule == "/tools/t/deny_if/always"
