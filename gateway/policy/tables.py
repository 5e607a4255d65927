"""Compiles a checked policy for one server into what the engine decides by. Called when a policy is loaded."""

import collections
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from gateway.policy import messages, names
from gateway.policy.approvals import terms_of
from gateway.policy.compiled import (
    CallTable,
    CompiledPolicy,
    Entry,
    JudgedCheck,
    JudgedLimit,
    JudgedRule,
    table_of,
)
from gateway.policy.conditions import compile_condition
from gateway.policy.decision import ConcurrencyHold, Decision, Kind, Verdict
from gateway.policy.limits import Counter, core_limit, cost_paths, counter_of, is_weighted, least_cost, short_limit
from gateway.policy.lookup import Keyed, is_glob, ranked
from gateway.policy.model import Approval, Limit, Policy, Rule, ToolRules, Validate
from gateway.policy.paths import ArgumentPath, parse_path
from gateway.policy.schemas import NO_SCHEMAS, SchemaSource, ServerCheck, compile_schema

__all__ = ["CompiledPolicy", "SchemaSource", "compile_policy"]

REVISION_DIGITS: Final = 12

Place = tuple[str, ToolRules]
"""Rules, and the name of where they stand."""


def compile_policy(policy: Policy, schemas: SchemaSource = NO_SCHEMAS) -> CompiledPolicy:
    """Compile a policy that `load_policy` has returned; such a one always compiles.

    `schemas` are those of the server that the policy is used on.
    """
    counters = _Counters(policy)
    compiler = {kind: _Compiler(kind, policy, counters, schemas) for kind in Kind}
    allows = policy.default == "allow"
    return CompiledPolicy(
        revision=_revision(policy),
        default_allows=allows,
        hide=policy.hide,
        lists_denied=policy.listing == "all",
        entries={kind: compiler[kind].entries() for kind in Kind},
        unlisted={kind: compiler[kind].unlisted() if allows else None for kind in Kind},
        counters=tuple(counters.by_name.values()),
        needs_schemas=any(rules.validate.required_args or rules.validate.schema for rules in policy.tools.values()),
    )


class _Counters:
    """The distinct counters of a policy, their slots, and which of them several tools spend on."""

    def __init__(self, policy: Policy) -> None:
        places = [(key, _limits_of(key, rules)) for kind in Kind for key, rules in _rules_of(policy, kind)]
        places.append(("*", policy.all_tools.limits))
        limits = [limit for _, limits in places for limit in limits]
        weighted = {limit.counter for limit in limits if is_weighted(limit)}
        self.by_name: dict[str, Counter] = {}
        for limit in limits:
            self.by_name[limit.counter] = counter_of(limit, is_weighted=limit.counter in weighted)
        self.slots = {name: slot for slot, name in enumerate(self.by_name)}
        users = collections.Counter[str]()
        for key, mentions in places:
            # Whatever a glob matches spends on its counters together.
            users.update({limit.counter: 2 if is_glob(key) else 1 for limit in mentions})
        self.shared = {name for name, count in users.items() if count > 1}


class _Compiler:
    """Makes the entries of one part of a policy: of its tools, resources or prompts."""

    def __init__(self, kind: Kind, policy: Policy, counters: _Counters, schemas: SchemaSource) -> None:
        self._kind = kind
        self._policy = policy
        self._counters = counters
        self._schemas = schemas
        everywhere = msgspec.structs.asdict(policy.all_tools) if kind is Kind.TOOL else {}
        self._everywhere: Place = names.ALL_TOOLS, ToolRules(**everywhere)

    def entries(self) -> Keyed[Entry]:
        """The entries by their keys."""
        exact: dict[str, Entry] = {}
        globs = []
        for key, rules in _rules_of(self._policy, self._kind):
            make = self._maker(key, rules)
            if is_glob(key):
                globs.append((key, make))
            else:
                exact[key] = make(key)
        return Keyed(exact, ranked(globs))

    def unlisted(self) -> Entry:
        """What judges the names that no key matches, where these are allowed."""
        return Entry(self._table(names.DEFAULT_ALLOW, ToolRules(), ()))

    def _maker(self, key: str, rules: ToolRules) -> Callable[[str], Entry]:
        """Makes the entry for a name that the key matches. Agents choose names, so little is done for each."""
        keep = tuple((path, parse_path(path)) for path in rules.audit.keep)
        place = names.place_of(self._kind, key)
        if rules.action == "deny":
            return functools.partial(_denial, f"{place}/action", rules.reason, keep)
        table = self._table(place, rules, _limits_of(key, rules))
        if rules.validate.required_args or rules.validate.schema:
            return lambda name: Entry(self._validated(table, rules.validate, name), keep)
        entry = Entry(table, keep)
        return lambda _: entry

    def _validated(self, table: CallTable, validate: Validate, tool: str) -> CallTable:
        """The same table, with a check by the server's own schema of this tool after all others."""
        server = ServerCheck(self._schemas, tool, whole=validate.schema)
        wanted = "the server's schema" if validate.schema else "the server's required arguments"
        check = JudgedCheck(f"{table.name}/validate", server, wanted)
        checks = (*table.checks, check)
        made = table_of(table.name, table.require, table.deny_if, checks, table.approve_if, table.limits)
        return msgspec.structs.replace(table, checks=checks, program=made.program)

    def _table(self, name: str, rules: ToolRules, limits: tuple[Limit, ...]) -> CallTable:
        own: Place = name, msgspec.structs.replace(rules, limits=limits)
        places = (own, self._everywhere)
        require, deny_if, approve_if = (
            [judged for place, rules in places for judged in _judged_rules(f"{place}/{part}", getattr(rules, part))]
            for part in ("require", "deny_if", "approve_if")
        )
        if rules.action == "require_approval":
            approve_if.insert(0, JudgedRule(f"{name}/action", Rule((), on_deny=rules.reason), ()))
        table = table_of(
            name,
            require=_enforced(require),
            deny_if=_enforced(deny_if),
            checks=tuple(_policy_checks(places)),
            approve_if=_enforced(approve_if),
            limits=tuple(self._judged_limits(places, "enforce")),
        )
        approval = rules.approval or self._everywhere[1].approval or Approval()
        enforced = {judged.slot for judged in table.limits}
        return msgspec.structs.replace(
            table,
            holds=tuple(_holds(places)),
            approval=terms_of(approval),
            shadow_rules=(
                *(table_of(name, require=(judged,)) for judged in _in_shadow(require)),
                *(table_of(name, deny_if=(judged,)) for judged in _in_shadow(deny_if)),
                *(table_of(name, approve_if=(judged,)) for judged in _in_shadow(approve_if)),
            ),
            # A counter that is met both ways counts once, where it is enforced.
            shadow_limits=tuple(
                table_of(name, limits=(judged,))
                for judged in self._judged_limits(places, "shadow")
                if judged.slot not in enforced
            ),
        )

    def _judged_limits(self, places: Iterable[Place], mode: str) -> Iterator[JudgedLimit]:
        """A call spends once on a counter, however often it meets it; the first mention names the rule."""
        mentions: dict[str, list[tuple[str, Limit]]] = {}
        for place, rules in places:
            for limit in rules.limits:
                if limit.mode == mode:
                    mentions.setdefault(limit.counter, []).append((place, limit))
        for name, found in mentions.items():
            place, first = found[0]
            counter, slot = self._counters.by_name[name], self._counters.slots[name]
            limits = [limit for _, limit in found]
            yield JudgedLimit(
                name=names.limit_name(place, name),
                counter=counter,
                slot=slot,
                is_shared=name in self._counters.shared,
                on_deny=first.on_deny,
                core=core_limit(counter, slot, limits),
                least_cost=least_cost(limits),
                cost_paths=cost_paths(limits),
            )


def _rules_of(policy: Policy, kind: Kind) -> list[tuple[str, ToolRules]]:
    """The entries of one part; those of resources and prompts as tools' that leave the rest out."""
    match kind:
        case Kind.TOOL:
            return list(policy.tools.items())
        case Kind.RESOURCE:
            return [(key, ToolRules(**msgspec.structs.asdict(rules))) for key, rules in policy.resources.items()]
        case Kind.PROMPT:
            return [(key, ToolRules(**msgspec.structs.asdict(rules))) for key, rules in policy.prompts.items()]


def _limits_of(key: str, rules: ToolRules) -> tuple[Limit, ...]:
    """The limits of an entry, the one that `rate_limit` stands for among them."""
    return (*rules.limits, short_limit(key, rules.rate_limit)) if rules.rate_limit else rules.limits


def _judged_rules(place: str, rules: Iterable[Rule]) -> Iterator[JudgedRule]:
    rules = tuple(rules)
    for name, rule in zip(names.rule_names(place, rules), rules, strict=True):
        yield JudgedRule(name, rule, tuple(map(compile_condition, rule.conditions)))


def _policy_checks(places: Iterable[Place]) -> Iterator[JudgedCheck]:
    for place, rules in places:
        if rules.arguments is not None:
            wanted = msgspec.json.encode(rules.arguments, order="sorted").decode()
            yield JudgedCheck(f"{place}/arguments", compile_schema(rules.arguments), wanted)


def _holds(places: Iterable[Place]) -> Iterator[ConcurrencyHold]:
    for place, rules in places:
        if rules.concurrency is not None:
            yield ConcurrencyHold(f"{place}/concurrency", rules.concurrency)


def _enforced(rules: Iterable[JudgedRule]) -> tuple[JudgedRule, ...]:
    return tuple(judged for judged in rules if judged.rule.mode == "enforce")


def _in_shadow(rules: Iterable[JudgedRule]) -> tuple[JudgedRule, ...]:
    return tuple(judged for judged in rules if judged.rule.mode == "shadow")


def _denial(rule: str, reason: str | None, keep: tuple[tuple[str, ArgumentPath], ...], name: str) -> Entry:
    return Entry(Decision(Verdict.DENY, rule, messages.not_allowed(name, reason)), keep)


def _revision(policy: Policy) -> str:
    canonical = msgspec.json.encode(policy, order="sorted")
    return hashlib.sha256(canonical).hexdigest()[:REVISION_DIGITS]
