"""One rule of an Intercept policy: its shape, and the version-1 rules and limits that it becomes.

All rules of a tool must let a call pass, as in version 1 those of all lists must. Called by `intercept.py`.
"""

import collections
import re
from collections.abc import Iterator
from typing import Final, Literal, assert_never

import msgspec

from gateway.documents import Carried
from gateway.policy.intercept_limits import (
    Condition,
    State,
    UncarriedError,
    check_counter,
    is_on_counter,
    limit_of_rate,
    limit_of_state,
    literal_path,
)
from gateway.reading.outcome import Path

# Means something else to our engine, which takes it without a word.
_POSIX_CLASS: Final = re.compile(r"\[:\^?[a-z]+:\]")


class Rule(msgspec.Struct, frozen=True):
    """One rule. `allow`, `reason`, `validate` and a `rate_limit` with fields are of PolicyLayer's older pages."""

    name: str | None = None
    action: Literal["evaluate", "allow", "deny", "require_approval"] = "evaluate"
    conditions: tuple[Condition, ...] = ()
    on_deny: str | None = None
    reason: str | None = None
    rate_limit: str | dict[str, object] | None = None
    state: State | None = None
    validate: dict[str, object] | None = None
    approval_timeout: str | None = None


_KINDS: Final = {"name", "action"}
# Which other fields say something, by the rule's action.
_TAKES: Final = {
    "evaluate": {"conditions", "on_deny", "rate_limit", "state", "validate"},
    "allow": {"on_deny", "rate_limit", "validate"},
    "deny": {"on_deny", "reason"},
    "require_approval": {"conditions", "on_deny", "approval_timeout"},
}
# Rules of these let a call pass if it fits; the others need nothing to check.
_CHECKING: Final = {"evaluate", "allow"}


class Ids:
    """The names of rules as ids, each given once: the second rule of a name gets `#2`."""

    def __init__(self) -> None:
        self._seen = collections.Counter[str]()

    def next(self, name: str) -> str:
        """The id of one more rule of this name."""
        self._seen[name] += 1
        return name if self._seen[name] == 1 else f"{name} #{self._seen[name]}"


def carry_rule(rule: Rule, scope: str, at: Path, ids: Ids) -> Iterator[tuple[str, Carried]]:
    """What the rule at `at` becomes: elements for the lists of a version-1 tool, by their names, and what a rule
    may have beside them, by the names it has here.

    `scope` is the tool's name in the names of counters. Raises UncarriedError.
    """
    _check_fields(rule, at)
    match rule.action:
        case "deny":
            yield "deny_if", _rule(rule, rule.on_deny or rule.reason, at, ids)
        case "require_approval":
            yield "approve_if", _rule(rule, rule.on_deny, at, ids)
            yield "approval_timeout", Carried(rule.approval_timeout, (*at, "approval_timeout"))
        case "evaluate" | "allow":
            yield from _evaluated(rule, scope, at, ids)
        case _:
            assert_never(rule.action)


def _evaluated(rule: Rule, scope: str, at: Path, ids: Ids) -> Iterator[tuple[str, Carried]]:
    if any(not is_on_counter(condition) for condition in rule.conditions):
        yield "require", _rule(rule, rule.on_deny, at, ids)
    why = {"on_deny": rule.on_deny} if rule.on_deny else {}
    match rule.rate_limit:
        case str(rate):
            yield "limits", Carried(limit_of_rate(scope, rate, (*at, "rate_limit")) | why, at)
        case dict(block):
            yield "rate_limit", Carried(block, (*at, "rate_limit"))
    if rule.state is not None:
        yield "limits", Carried(limit_of_state(scope, rule.state, rule.conditions, at) | why, at)
    if rule.validate is not None:
        yield "validate", Carried(rule.validate, (*at, "validate"))


def _rule(rule: Rule, on_deny: str | None, at: Path, ids: Ids) -> Carried:
    tests = [(index, test) for index, test in enumerate(rule.conditions) if not is_on_counter(test)]
    carried: dict[str, object] = {"conditions": [_condition(test, (*at, "conditions", index)) for index, test in tests]}
    if on_deny:
        carried["on_deny"] = on_deny
    if rule.name:
        carried["id"] = Carried(ids.next(rule.name), (*at, "name"))
    return Carried(carried, at)


def _condition(test: Condition, at: Path) -> Carried:
    if not test.path.startswith("args."):
        message = f"the path `{test.path}` must start with `args.`, as in `args.action`, or with `state.`"
        raise UncarriedError((*at, "path"), message)
    if test.op == "regex" and (posix := _POSIX_CLASS.search(str(test.value))):
        message = f"the engine here has no `{posix[0]}`; write the characters out, as in `[A-Za-z]`"
        raise UncarriedError((*at, "value"), message)
    return Carried({"path": literal_path(test.path), "op": test.op, "value": test.value}, at)


def _check_fields(rule: Rule, at: Path) -> None:
    """Raise UncarriedError for a field that says nothing in this rule, and for a rule that checks nothing."""
    fields = [name for name in Rule.__struct_fields__ if name not in _KINDS and getattr(rule, name) not in (None, ())]
    for name in fields:
        if name not in _TAKES[rule.action]:
            message = f"a rule with `action: {rule.action}` has no `{name}`; write it in a rule of its own"
            raise UncarriedError((*at, name), message)
    if rule.on_deny and rule.reason:
        raise UncarriedError((*at, "reason"), "the agent is told one text; keep `on_deny` or `reason`")
    if rule.action == "evaluate" and not fields:
        raise UncarriedError(at, "the rule checks nothing; give it `conditions`, a `rate_limit` or `action: deny`")
    if isinstance(rule.rate_limit, str) and (rule.conditions or rule.state):
        message = "a `rate_limit` such as `10/hour` is the whole rule; write it in one of its own"
        raise UncarriedError((*at, "rate_limit"), message)
    if rule.action in _CHECKING and rule.on_deny and not (rule.conditions or isinstance(rule.rate_limit, str)):
        raise UncarriedError((*at, "on_deny"), "nothing in this rule would say this; take it out")
    for index, condition in enumerate(rule.conditions):
        if rule.state is None and is_on_counter(condition):
            check_counter(condition, None, (*at, "conditions", index))
