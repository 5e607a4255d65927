"""Why a call is decided as it is: every step of the evaluation, in the order of policy.md, and every limit's state.

Each step asks the engine's own core about one rule, check, place or limit alone. Called by the author's tools.
"""

import enum
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from gateway import fastpath
from gateway.policy import names
from gateway.policy.budget import Budget
from gateway.policy.compiled import CallTable, JudgedLimit, JudgedRule, table_of
from gateway.policy.conditions import type_name
from gateway.policy.decision import Call, Decision, Kind, Verdict
from gateway.policy.engine import Engine, Judge
from gateway.policy.judging import judge
from gateway.policy.model import Condition
from gateway.policy.paths import ArgumentPath, find_misfit, parse_path, value_at


class Stage(enum.StrEnum):
    """The steps of policy.md, "Order of evaluation", that a policy's rules are part of, in that order."""

    HIDDEN = "hidden"
    ENTRY = "entry"
    """Which key of the policy applies, if any."""
    ACTION = "action"
    REQUIRE = "require"
    DENY_IF = "deny_if"
    CHECKS = "checks"
    APPROVAL = "approval"
    CONCURRENCY = "concurrency"
    LIMITS = "limits"


class Result(enum.StrEnum):
    """What testing a condition gives."""

    HOLDS = "holds"
    FAILS = "fails"
    MISTYPED = "mistyped"


_RESULTS: Final = {
    fastpath.HOLDS: Result.HOLDS,
    fastpath.FAILS: Result.FAILS,
    fastpath.MISTYPED: Result.MISTYPED,
}


class Test(msgspec.Struct, frozen=True):
    """One condition, and what it met. Never the value of an argument."""

    condition: Condition
    met: str
    """The JSON type that was found, or several where the path has `[*]`; `nothing` for what is missing or null."""
    result: Result


class LimitState(msgspec.Struct, frozen=True):
    """Where one limit stands before the call."""

    counter: str
    maximum: int
    window_ns: int
    scope: str
    cost: int | None
    """What the call would spend; None where its arguments name no cost."""
    remaining: int
    """How many calls of the limit's least cost pass now."""
    wait_ms: int | None
    """How long until a call like this one passes, 0 for now; None where it never does."""


class Step(msgspec.Struct, frozen=True):
    """One thing that the call was judged by, alone."""

    stage: Stage
    rule: str
    verdict: Verdict
    """What it would decide by itself. ALLOW lets the call go on to the next step."""
    message: str = ""
    """What the agent would be told."""
    is_shadow: bool = False
    tests: tuple[Test, ...] = ()
    limit: LimitState | None = None


class Explanation(msgspec.Struct, frozen=True):
    """A decision and how it came about."""

    call: Call
    decision: Decision
    """What `Engine.decide` says, without its receipt."""
    steps: tuple[Step, ...]
    """Also those after the decisive one, which the engine never came to."""
    decisive: Step | None
    """The step that refused, or asked for approval; None where all have let the call pass."""


def explain(engine: Judge, call: Call, budget: Budget, now_ns: int, wall_ns: int) -> Explanation:
    """Explain one call as `engine.decide` would decide it now.

    No budget is smaller afterwards: whatever is spent on the way is given back. Raises as `Engine.decide`.
    """
    decision = engine.decide(call, budget, now_ns, wall_ns)
    _give_back(decision, budget, now_ns)
    decision = msgspec.structs.replace(decision, receipt=None)
    table = engine.policy.entry_of(call.kind, call.target).judge if isinstance(engine, Engine) else decision
    if isinstance(table, Decision):
        steps = tuple(_by_name(call, table))
    else:
        steps = tuple(_Steps(table, call, budget, now_ns, wall_ns).all())
    return Explanation(call, decision, steps, _decisive(steps))


def _by_name(call: Call, decision: Decision) -> Iterator[Step]:
    """The steps of a call that is refused whatever its arguments."""
    match decision.rule:
        case names.HIDDEN:
            stage = Stage.HIDDEN
        case names.NO_POLICY | names.DEFAULT_DENY | names.AMBIGUOUS:
            stage = Stage.ENTRY
        case _:
            stage = Stage.ACTION
    if stage is not Stage.HIDDEN and decision.rule != names.NO_POLICY:
        yield from _not_hidden(call)
    if stage is Stage.ACTION:
        yield Step(Stage.ENTRY, decision.rule.removesuffix("/action"), Verdict.ALLOW)
    yield Step(stage, decision.rule, decision.verdict, decision.message)


def _not_hidden(call: Call) -> Iterator[Step]:
    if call.kind is Kind.TOOL:
        yield Step(Stage.HIDDEN, names.HIDDEN, Verdict.ALLOW)


def _decisive(steps: tuple[Step, ...]) -> Step | None:
    refusing = [step for step in steps if step.verdict is not Verdict.ALLOW and not step.is_shadow]
    if not refusing:
        return None
    first = [step for step in refusing if step.stage is refusing[0].stage]
    # Among limits, a cost that cannot be comes before a wait, whichever is written first.
    return min(first, key=lambda step: step.verdict is Verdict.THROTTLE)


class _Steps:
    """The steps of one call whose entry has rules."""

    def __init__(self, table: CallTable, call: Call, budget: Budget, now_ns: int, wall_ns: int) -> None:
        self._table = table
        self._call = call
        self._budget = budget
        self._now_ns = now_ns
        self._wall_ns = wall_ns

    def all(self) -> Iterator[Step]:
        """In the order of evaluation; at each stage what is in shadow mode comes last."""
        table, shadow = self._table, self._table.shadow_rules
        yield from _not_hidden(self._call)
        yield Step(Stage.ENTRY, table.name, Verdict.ALLOW)
        yield from self._rules(Stage.REQUIRE, table.require, [part.require for part in shadow])
        yield from self._rules(Stage.DENY_IF, table.deny_if, [part.deny_if for part in shadow])
        for check in table.checks:
            yield self._step(Stage.CHECKS, check.name, table_of(table.name, checks=(check,)))
        yield from self._rules(Stage.APPROVAL, table.approve_if, [part.approve_if for part in shadow])
        for hold in table.holds:
            alone = msgspec.structs.replace(table_of(table.name), holds=(hold,))
            yield self._step(Stage.CONCURRENCY, hold.name, alone)
        for limit in table.limits:
            yield self._limit(limit, is_shadow=False)
        for part in table.shadow_limits:
            yield self._limit(part.limits[0], is_shadow=True)

    def _rules(
        self, stage: Stage, enforced: tuple[JudgedRule, ...], shadow: Iterable[tuple[JudgedRule, ...]]
    ) -> Iterator[Step]:
        for is_shadow, rules in ((False, enforced), *((True, rules) for rules in shadow)):
            for judged in rules:
                tests = _tests(judged, self._call.arguments, every=stage is Stage.REQUIRE)
                step = self._step(stage, judged.name, self._alone(stage, judged))
                yield msgspec.structs.replace(step, is_shadow=is_shadow, tests=tests)

    def _alone(self, stage: Stage, judged: JudgedRule) -> CallTable:
        name = self._table.name
        if stage is Stage.REQUIRE:
            return table_of(name, require=(judged,))
        if stage is Stage.DENY_IF:
            return table_of(name, deny_if=(judged,))
        return table_of(name, approve_if=(judged,))

    def _limit(self, limit: JudgedLimit, *, is_shadow: bool) -> Step:
        alone = table_of(self._table.name, limits=(limit,))
        decision = self._judged(alone)
        step = _step(Stage.LIMITS, limit.name, decision)
        return msgspec.structs.replace(step, is_shadow=is_shadow, limit=self._state(limit, decision))

    def _state(self, limit: JudgedLimit, decision: Decision) -> LimitState:
        budget, counter = self._budget, limit.counter
        passes = decision.verdict is Verdict.ALLOW
        return LimitState(
            counter=counter.name,
            maximum=counter.maximum,
            window_ns=counter.window_ns,
            scope=counter.scope,
            cost=0 if self._call.is_free else _cost(limit, self._call.arguments),
            remaining=fastpath.remaining(limit.core, budget.words, budget.slots, self._now_ns, self._wall_ns),
            wait_ms=decision.limit.retry_after_ms if decision.limit else 0 if passes else None,
        )

    def _step(self, stage: Stage, rule: str, alone: CallTable) -> Step:
        return _step(stage, rule, self._judged(alone))

    def _judged(self, alone: CallTable) -> Decision:
        decision = judge(alone, self._call, self._budget, self._now_ns, self._wall_ns)
        _give_back(decision, self._budget, self._now_ns)
        return decision


def _step(stage: Stage, rule: str, decision: Decision) -> Step:
    # What refuses may have another name than what was asked: a check that cannot be made, a table that is full.
    name = rule if decision.verdict is Verdict.ALLOW else decision.rule
    return Step(stage, name, decision.verdict, decision.message)


def _give_back(decision: Decision, budget: Budget, now_ns: int) -> None:
    if decision.receipt:
        fastpath.rollback(budget.words, decision.receipt, now_ns)


def _tests(judged: JudgedRule, arguments: object, *, every: bool) -> tuple[Test, ...]:
    pairs = zip(judged.rule.conditions, judged.conditions, strict=True)
    return tuple(
        Test(condition, _met(condition, arguments), _RESULTS[core.test(arguments, every)]) for condition, core in pairs
    )


def _met(condition: Condition, arguments: object) -> str:
    """The types that the path leads to, or the first value that stops it."""
    path = parse_path(condition.path)
    try:
        found = value_at(arguments, ArgumentPath(path.steps))
    except LookupError:
        misfit = find_misfit(arguments, path, lambda _: False)
        return f"{type_name(misfit.value)} at {misfit.place}" if misfit else "nothing"
    depth = path.steps.count(fastpath.EACH)
    types = dict.fromkeys("nothing" if each is None else type_name(each) for each in _elements(found, depth))
    return ", ".join(types) or "no elements"


def _elements(found: object, depth: int) -> Iterator[object]:
    """The values that a path with `depth` times `[*]` has led to."""
    if depth == 0 or not isinstance(found, list):
        yield found
        return
    for each in found:
        yield from _elements(each, depth - 1)


def _cost(limit: JudgedLimit, arguments: object) -> int | None:
    """What the core charges for these arguments; None where it refuses to."""
    amounts = [limit.least_cost]
    for path in limit.cost_paths:
        try:
            amount = value_at(arguments, path)
        except LookupError:
            return None
        if isinstance(amount, float) and amount.is_integer():
            amount = int(amount)
        if type(amount) is not int or amount < 0:
            return None
        amounts.append(amount)
    return max(amounts)
