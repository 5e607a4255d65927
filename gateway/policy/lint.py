"""What is unwise in a policy, though not wrong: rules that never decide, limits that no call reaches.

Pure, and told by the policy alone; what the server's tools add is in `lint_tools`. `gateway check` prints both.
"""

import math
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway import fastpath
from gateway.policy.compiled import CallTable, CompiledPolicy, Entry
from gateway.policy.contradictions import contradicting_path
from gateway.policy.limits import Counter
from gateway.policy.lookup import is_glob
from gateway.policy.model import Condition, Policy, Rule
from gateway.policy.tables import compile_policy
from gateway.reading.outcome import Fault, Path

_LATER: Final = ("arguments", "approve_if", "limits", "rate_limit", "concurrency")
"""What comes after `deny_if`."""
_BREADTH: Final = {"session": 0, "grant": 1, "server": 2}


def lint(policy: Policy) -> Iterator[Fault]:
    """What is unwise in a checked policy: the path in its version-1 form, and why."""
    for place, rules in places(policy):
        yield from _unreached(place, rules)
        for part in ("require", "deny_if", "approve_if"):
            yield from _needless(place, part, getattr(rules, part, ()))
            yield from _contradictions(place, part, getattr(rules, part, ()))
    yield from _hidden(policy)
    yield from _unreachable_limits(policy)


def places(policy: Policy) -> Iterator[tuple[Path, Any]]:
    """Every set of rules, by its path."""
    yield ("all_tools",), policy.all_tools
    for kind in ("tools", "resources", "prompts"):
        for key, rules in getattr(policy, kind).items():
            yield (kind, key), rules


def _unreached(place: Path, rules: Any) -> Iterator[Fault]:
    """Rules behind one that decides every call."""
    action = getattr(rules, "action", "allow")
    if action == "deny":
        others = [part for part in ("require", "deny_if", *_LATER) if getattr(rules, part, None)]
        if others:
            yield (*place, "action"), f"denies every call, so {_listed(others)} of this entry never decide"
        return
    if action == "require_approval" and getattr(rules, "approve_if", ()):
        yield (*place, "approve_if"), "never decides: `action: require_approval` asks for every call already"
    denials = getattr(rules, "deny_if", ())
    for index, rule in enumerate(denials):
        if not rule.conditions and rule.mode == "enforce":
            others = ["the other rules of deny_if"] if len(denials) > 1 else []
            others += [part for part in _LATER if getattr(rules, part, None)]
            if others:
                yield (*place, "deny_if", index), f"denies every call, so {_listed(others)} never decide"
            return


def _needless(place: Path, part: str, rules: tuple[Rule, ...]) -> Iterator[Fault]:
    """Rules that decide nothing, since another of the list decides the same calls and more."""
    enforced = [(index, _conditions(rule)) for index, rule in enumerate(rules) if rule.mode == "enforce"]
    for index, conditions in enforced:
        for other, others in enforced:
            if index == other or (part == "deny_if" and not others):
                continue
            covered = others >= conditions if part == "require" else others <= conditions
            if covered and (others != conditions or other < index):
                yield (*place, part, index), f"never decides: number {other + 1} of the list covers every such call"
                break


def _contradictions(place: Path, part: str, rules: tuple[Rule, ...]) -> Iterator[Fault]:
    for index, rule in enumerate(rules):
        path = contradicting_path(rule.conditions)
        if path is not None and part == "require":
            yield (
                (*place, part, index),
                f"can never hold, so every call is denied: its conditions on {path} exclude each other",
            )
        elif path is not None:
            yield (
                (*place, part, index),
                f"can never fire but on an argument of another type: its conditions on {path} exclude each other",
            )


def _hidden(policy: Policy) -> Iterator[Fault]:
    for key in policy.tools:
        glob = next((glob for glob in policy.hide if fastpath.matches_glob(glob, key)), None)
        if glob is not None and not is_glob(key):
            yield ("tools", key), f"is hidden by `{glob}`, so its rules never decide"


def _unreachable_limits(policy: Policy) -> Iterator[Fault]:
    compiled = compile_policy(policy)
    tables = list(_tables(compiled))
    for slot, counter in enumerate(compiled.counters):
        meeting = [{judged.slot for judged in table.limits} for table in tables]
        meeting = [slots for slots in meeting if slot in slots]
        if not meeting:
            continue
        # A counter that every such call meets as well counts at least as many of them.
        for other in sorted(set.intersection(*meeting) - {slot}):
            tighter = compiled.counters[other]
            is_equal = _keeps_below(counter, tighter) and slot < other
            if _keeps_below(tighter, counter) and not is_equal:
                message = f"no call reaches this limit: `{tighter.name}` refuses before, for every call that meets it"
                yield _place_of(policy, counter.name), message
                break


def _tables(compiled: CompiledPolicy) -> Iterator[CallTable]:
    entries: list[Entry | None] = list(compiled.unlisted.values())
    for keyed in compiled.entries.values():
        entries += [*keyed.exact.values(), *(make(glob) for glob, make in keyed.globs)]
    for entry in entries:
        if entry is not None and isinstance(entry.judge, CallTable):
            yield entry.judge


def _keeps_below(tighter: Counter, counter: Counter) -> bool:
    """Whether whoever keeps to one limit never exceeds the other."""
    if tighter.is_weighted or counter.is_weighted or counter.kind == fastpath.TOKEN_BUCKET:
        return False
    if _BREADTH[tighter.scope] < _BREADTH[counter.scope]:
        return False
    return _most_within(tighter, counter) <= counter.maximum


def _most_within(tighter: Counter, counter: Counter) -> int:
    """The most calls that a counter admits in one window of another (policy.md, "Limits")."""
    windows = -(-counter.window_ns // tighter.window_ns)
    match tighter.kind:
        case fastpath.SLIDING_WINDOW:
            return tighter.maximum * windows
        case fastpath.FIXED_WINDOW:
            is_aligned = counter.kind == fastpath.FIXED_WINDOW and counter.window_ns % tighter.window_ns == 0
            return tighter.maximum * (windows if is_aligned else windows + 1)
        case _:
            return tighter.burst + math.ceil(tighter.maximum * counter.window_ns / tighter.window_ns)


def _place_of(policy: Policy, counter: str) -> Path:
    for place, rules in places(policy):
        for index, limit in enumerate(rules.limits):
            if limit.counter == counter:
                return (*place, "limits", index)
        if getattr(rules, "rate_limit", None) and counter == f"{place[-1]}_rate":
            return (*place, "rate_limit")
    raise AssertionError(f"no limit names the counter {counter}")


def _conditions(rule: Rule) -> frozenset[bytes]:
    return frozenset(map(_canonical, rule.conditions))


def _canonical(condition: Condition) -> bytes:
    return msgspec.json.encode(condition, order="sorted")


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
