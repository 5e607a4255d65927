"""What the rules of a policy may make of a past call whose arguments are known in part. Called by `replay`.

The same rules in the same order as the core has them, but each may pass, refuse, or do either.
"""

from collections.abc import Iterator

import msgspec

from gateway import fastpath
from gateway.policy import names
from gateway.policy.compiled import CallTable, JudgedCheck, JudgedRule
from gateway.policy.decision import Verdict
from gateway.policy.knowledge import ANYTHING, Knowledge, UnknownError
from gateway.policy.paths import parse_path
from gateway.policy.schemas import ServerCheck


class Refusal(msgspec.Struct, frozen=True):
    """What the call may have met: a refusal or a question, by a rule."""

    verdict: Verdict
    rule: str


class Prospect(msgspec.Struct, frozen=True):
    """All that the rules may have made of the call, limits apart."""

    refusals: tuple[Refusal, ...]
    may_pass: bool
    unknown: tuple[str, ...]
    """What was not kept, by the paths that rules look at."""


class _Chance(msgspec.Struct, frozen=True):
    """Whether one rule may refuse, and whether it may not."""

    refusal: Refusal
    may_refuse: bool
    may_pass: bool
    unknown: tuple[str, ...] = ()


def prospect(table: CallTable, knowledge: Knowledge, *, is_approved: bool) -> Prospect:
    """Steps 6 to 9 of policy.md, "Order of evaluation", as far as the arguments are known."""
    refusals: list[Refusal] = []
    unknown: dict[str, None] = {}
    for chance in _chances(table, knowledge, is_approved=is_approved):
        unknown |= dict.fromkeys(chance.unknown)
        if chance.may_refuse:
            refusals.append(chance.refusal)
        if not chance.may_pass:
            return Prospect(tuple(refusals), False, tuple(unknown))
    return Prospect(tuple(refusals), True, tuple(unknown))


def _chances(table: CallTable, knowledge: Knowledge, *, is_approved: bool) -> Iterator[_Chance]:
    for judged in table.require:
        results, unknown = _results(judged, knowledge, every=True)
        may_hold = all(fastpath.HOLDS in each for each in results)
        must_hold = all(each == {fastpath.HOLDS} for each in results)
        yield _Chance(Refusal(Verdict.DENY, judged.name), not must_hold, may_hold, unknown)
    for judged in table.deny_if:
        yield _firing(judged, knowledge, Verdict.DENY)
    for check in table.checks:
        yield _checked(check, knowledge)
    for judged in () if is_approved else table.approve_if:
        yield _firing(judged, knowledge, Verdict.PENDING)


def _firing(judged: JudgedRule, knowledge: Knowledge, verdict: Verdict) -> _Chance:
    results, unknown = _results(judged, knowledge, every=False)
    may_fire = all(each != {fastpath.FAILS} for each in results)
    must_fire = all(fastpath.FAILS not in each for each in results)
    return _Chance(Refusal(verdict, judged.name), may_fire, not must_fire, unknown)


def _results(judged: JudgedRule, knowledge: Knowledge, *, every: bool) -> tuple[list[frozenset[int]], tuple[str, ...]]:
    """For each condition what it may have given, and the paths that nothing is known of."""
    results, unknown = [], []
    for condition, core in zip(judged.rule.conditions, judged.conditions, strict=True):
        found = knowledge.results(parse_path(condition.path), core, every=every)
        results.append(found)
        if found == ANYTHING:
            unknown.append(condition.path)
    return results, tuple(unknown)


def _checked(check: JudgedCheck, knowledge: Knowledge) -> _Chance:
    refusal = Refusal(Verdict.DENY, check.name)
    if isinstance(check.check, ServerCheck) and check.check.validator is None:
        return _Chance(Refusal(Verdict.DENY, names.SCHEMA_UNAVAILABLE), True, True, ("the server's schema",))
    try:
        is_valid = check.check.is_valid(knowledge.whole())
    except UnknownError as error:
        return _Chance(refusal, True, True, (str(error),))
    return _Chance(refusal, not is_valid, is_valid)
