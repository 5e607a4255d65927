"""What changes when one policy takes another's place: state and rules, name by name. `gateway diff` prints it."""

import enum
from collections.abc import Iterable, Iterator

import msgspec

from gateway import fastpath
from gateway.policy import names
from gateway.policy.compiled import CallTable, CompiledPolicy, JudgedLimit, JudgedRule
from gateway.policy.decision import Decision, Kind
from gateway.policy.messages import condition_text
from gateway.policy.windows import SECOND_NS, describe_window


class State(enum.StrEnum):
    """What becomes of the calls of one name, in a word."""

    HIDDEN = "hidden"
    DENIED = "denied"
    ASKS = "asks"
    """Every call that its rules let pass waits for a person."""
    RULED = "ruled"
    """Arguments decide."""
    LIMITED = "limited"
    """Any arguments, but not any number of calls."""
    ALLOWED = "allowed"


class Change(msgspec.Struct, frozen=True):
    """One name whose calls are judged otherwise."""

    kind: Kind
    name: str
    """A key of one of the policies, a tool that was named; empty for any other name."""
    before: State
    after: State
    removed: tuple[str, ...]
    """What was asked of its calls and is no more, a line each."""
    added: tuple[str, ...]


class Rename(msgspec.Struct, frozen=True):
    """A counter that seems to have a new name, which is a new counter: its budget starts anew."""

    before: str
    after: str


class Difference(msgspec.Struct, frozen=True):
    """All that is judged otherwise."""

    changes: tuple[Change, ...]
    renames: tuple[Rename, ...]


def diff(before: CompiledPolicy, after: CompiledPolicy, tools: Iterable[str] = ()) -> Difference:
    """Compare two policies for every name that one of them has, for these tools, and for any other name.

    Texts for agents and names of rules may differ without a change.
    """
    changes: list[Change] = []
    renames: dict[Rename, None] = {}
    for kind in Kind:
        listed = dict.fromkeys([*_keys(before, kind), *_keys(after, kind), *(tools if kind is Kind.TOOL else ()), ""])
        for name in listed:
            old, new = before.entry_of(kind, name).judge, after.entry_of(kind, name).judge
            change = _change(kind, name, _Rules(before, kind, name), _Rules(after, kind, name))
            if change is not None:
                changes.append(change)
            renames |= dict.fromkeys(_renames(_limits(old), _limits(new), before, after))
    return Difference(tuple(changes), tuple(renames))


def _keys(policy: CompiledPolicy, kind: Kind) -> Iterator[str]:
    keyed = policy.entries[kind]
    yield from keyed.exact
    yield from (glob for glob, _ in keyed.globs)
    if kind is Kind.TOOL:
        yield from policy.hide


class _Rules:
    """What one policy makes of one name."""

    def __init__(self, policy: CompiledPolicy, kind: Kind, name: str) -> None:
        entry = policy.entry_of(kind, name)
        self.state = _state(entry.judge)
        self.lines = dict.fromkeys(_lines(entry.judge))
        self.lines |= dict.fromkeys(f"recorded: {path}" for path, _ in entry.keep)
        if kind is Kind.TOOL and self.state is State.DENIED and policy.lists_denied:
            self.lines["shown in lists"] = None


def _change(kind: Kind, name: str, before: _Rules, after: _Rules) -> Change | None:
    removed = tuple(line for line in before.lines if line not in after.lines)
    added = tuple(line for line in after.lines if line not in before.lines)
    if before.state is after.state and not removed and not added:
        return None
    return Change(kind, name, before.state, after.state, removed, added)


def _state(judge: CallTable | Decision) -> State:
    if isinstance(judge, Decision):
        return State.HIDDEN if judge.rule == names.HIDDEN else State.DENIED
    if judge.unconditional_denial is not None:
        return State.DENIED
    if any(not judged.rule.conditions for judged in judge.approve_if):
        return State.ASKS
    if judge.require or judge.deny_if or judge.checks or judge.approve_if:
        return State.RULED
    return State.LIMITED if judge.limits or judge.holds else State.ALLOWED


def _lines(judge: CallTable | Decision) -> Iterator[str]:
    """All that decides, in words that are equal for what decides alike."""
    if isinstance(judge, Decision):
        return
    for part in ("require", "deny_if", "approve_if"):
        yield from (f"{part}: {_rule_text(judged)}" for judged in getattr(judge, part))
    yield from (f"check: {check.wanted}" for check in judge.checks)
    if judge.approve_if and judge.approval:
        terms = judge.approval
        yield f"approval: within {terms.expires_ns / SECOND_NS:g} s, held for {terms.hold_ns / SECOND_NS:g} s"
    yield from (f"concurrency: {hold.most}" for hold in judge.holds)
    yield from (f"limit: {_limit_text(judged)}" for judged in judge.limits)
    for shadow in (*judge.shadow_rules, *judge.shadow_limits):
        yield from (f"shadow {line}" for line in _lines(shadow))


def _rule_text(judged: JudgedRule) -> str:
    return " and ".join(map(condition_text, judged.rule.conditions)) or "always"


def _limit_text(judged: JudgedLimit) -> str:
    counter = judged.counter
    costs = [str(judged.least_cost)] if judged.least_cost > 1 else []
    costs += [path.text for path in judged.cost_paths]
    algorithms = {
        fastpath.SLIDING_WINDOW: "",
        fastpath.FIXED_WINDOW: ", fixed window",
        fastpath.TOKEN_BUCKET: f", token bucket with burst {counter.burst}",
    }
    cost = f", a call costs {' or '.join(costs)}" if costs else ""
    window = describe_window(counter.window_ns)
    return f"{counter.name}: {counter.maximum} {window} per {counter.scope}{algorithms[counter.kind]}{cost}"


def _limits(judge: CallTable | Decision) -> list[str]:
    return [] if isinstance(judge, Decision) else [judged.counter.name for judged in judge.limits]


def _renames(old: list[str], new: list[str], before: CompiledPolicy, after: CompiledPolicy) -> Iterator[Rename]:
    """Counters of one name's calls that only the old policy has, beside those that only the new one has."""
    known_before = {counter.name for counter in before.counters}
    known_after = {counter.name for counter in after.counters}
    gone = [name for name in old if name not in known_after]
    made = [name for name in new if name not in known_before]
    yield from map(Rename, gone, made)
