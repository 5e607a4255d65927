"""A policy made ready to decide with: for each tool the core's program, and the names of what it refuses by.

`compile_policy` is called when a policy is loaded; the engine reads the result for every call.
"""

import collections
import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from gateway import fastpath
from gateway.policy import messages, names
from gateway.policy.conditions import compile_condition
from gateway.policy.decision import Decision, Verdict
from gateway.policy.limits import Counter, core_limit, counter_of
from gateway.policy.model import Limit, Policy, Rule, ToolRules

REVISION_DIGITS: Final = 12


class JudgedRule(msgspec.Struct, frozen=True):
    """A rule as the document has it, its name, and its conditions as the core has them."""

    name: str
    rule: Rule
    conditions: tuple[fastpath.Condition, ...]


class JudgedLimit(msgspec.Struct, frozen=True):
    """A limit that one tool's calls meet, its name, and the counter it spends on."""

    name: str
    counter: Counter
    slot: int
    """Which of the policy's counters."""
    is_shared: bool
    """Whether calls of other tools spend on the counter too."""
    on_deny: str | None
    core: fastpath.Limit


class ToolTable(msgspec.Struct, frozen=True):
    """All that the calls of one tool are judged by; the tuples stand in the order of the program."""

    name: str
    """The rule that an allowed call is recorded under."""
    program: fastpath.Program
    require: tuple[JudgedRule, ...]
    deny_if: tuple[JudgedRule, ...]
    limits: tuple[JudgedLimit, ...]

    def always_denies(self) -> bool:
        """Whether a `deny_if` without conditions denies every call."""
        return any(not judged.rule.conditions for judged in self.deny_if)


class CompiledPolicy(msgspec.Struct, frozen=True):
    """An immutable policy, ready for `Engine`. Any number of grants may share one."""

    revision: str
    """Twelve hex digits of the SHA-256 of the document, the same for every layout of it."""
    default_allows: bool
    hide: tuple[str, ...]
    tools: Mapping[str, ToolTable | Decision]
    """The tools that the policy names; a decision where arguments do not matter."""
    unlisted: ToolTable | None
    """What judges the tools it does not name; None where these are denied."""
    counters: tuple[Counter, ...]
    """The counters of all limits; a limit's `slot` is an index into them."""

    def judge_of(self, tool: str) -> ToolTable | Decision:
        """What a call of this tool is judged by, or the refusal that needs no arguments.

        Steps 3 to 5 of policy.md, "Order of evaluation".
        """
        listed = self.tools.get(tool)
        if listed is not None:
            return listed
        if _is_hidden(tool, self.hide):
            return _denied(tool, names.HIDDEN)
        return self.unlisted or _denied(tool, names.DEFAULT_DENY)


def compile_policy(policy: Policy) -> CompiledPolicy:
    """Compile a policy that `load_policy` has returned; such a one always compiles."""
    counters = _Counters(policy)
    unlisted = _table(names.DEFAULT_ALLOW, ToolRules(), policy, counters) if policy.default == "allow" else None
    return CompiledPolicy(
        revision=_revision(policy),
        default_allows=policy.default == "allow",
        hide=policy.hide,
        tools={tool: _judge_of(tool, rules, policy, counters) for tool, rules in policy.tools.items()},
        unlisted=unlisted,
        counters=tuple(counters.by_name.values()),
    )


class _Counters:
    """The distinct counters of a policy, their slots, and which of them several tools spend on."""

    def __init__(self, policy: Policy) -> None:
        places = [*(rules.limits for rules in policy.tools.values()), policy.all_tools.limits]
        self.by_name = {limit.counter: counter_of(limit) for limits in places for limit in limits}
        self.slots = {name: slot for slot, name in enumerate(self.by_name)}
        users = collections.Counter(name for limits in places for name in {limit.counter for limit in limits})
        everyones = {limit.counter for limit in policy.all_tools.limits}
        self.shared = everyones | {name for name, count in users.items() if count > 1}


def _judge_of(tool: str, rules: ToolRules, policy: Policy, counters: _Counters) -> ToolTable | Decision:
    place = names.tool_place(tool)
    if _is_hidden(tool, policy.hide):
        return _denied(tool, names.HIDDEN)
    if rules.action == "deny":
        return _denied(tool, f"{place}/action", rules.reason)
    return _table(place, rules, policy, counters)


def _table(place: str, rules: ToolRules, policy: Policy, counters: _Counters) -> ToolTable:
    require = _judged_rules(f"{place}/require", rules.require)
    deny_if = _judged_rules(f"{place}/deny_if", rules.deny_if)
    # A call spends once on a counter, however often it meets it; the tool's own mention names the rule.
    limits: dict[str, JudgedLimit] = {}
    for at, mentions in ((place, rules.limits), (names.ALL_TOOLS, policy.all_tools.limits)):
        for limit in mentions:
            limits.setdefault(limit.counter, _judged_limit(at, limit, counters))
    program = fastpath.Program(
        tuple(fastpath.Rule(judged.conditions) for judged in require),
        tuple(fastpath.Rule(judged.conditions) for judged in deny_if),
        tuple(judged.core for judged in limits.values()),
    )
    return ToolTable(place, program, require, deny_if, tuple(limits.values()))


def _judged_rules(place: str, rules: Iterable[Rule]) -> tuple[JudgedRule, ...]:
    rules = tuple(rules)
    return tuple(
        JudgedRule(name, rule, tuple(map(compile_condition, rule.conditions)))
        for name, rule in zip(names.rule_names(place, rules), rules, strict=True)
    )


def _judged_limit(place: str, limit: Limit, counters: _Counters) -> JudgedLimit:
    counter, slot = counters.by_name[limit.counter], counters.slots[limit.counter]
    return JudgedLimit(
        name=names.limit_name(place, limit.counter),
        counter=counter,
        slot=slot,
        is_shared=limit.counter in counters.shared,
        on_deny=limit.on_deny,
        core=core_limit(counter, slot),
    )


def _is_hidden(tool: str, hide: tuple[str, ...]) -> bool:
    return any(fastpath.matches_glob(glob, tool) for glob in hide)


def _denied(tool: str, rule: str, reason: str | None = None) -> Decision:
    return Decision(verdict=Verdict.DENY, rule=rule, message=messages.not_allowed(tool, reason))


def _revision(policy: Policy) -> str:
    canonical = msgspec.json.encode(policy, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:REVISION_DIGITS]
