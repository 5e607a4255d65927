"""What is unwise in a policy for one server's tools: names and arguments that it does not have, actions not looked at.

Pure; whoever calls has listed the tools. `gateway check` prints it beside what `lint` finds.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from gateway import fastpath
from gateway.policy.lint import places
from gateway.policy.lookup import AmbiguousError, Keyed, is_glob, ranked
from gateway.policy.model import Policy
from gateway.policy.paths import parse_path
from gateway.reading.outcome import Fault, Path
from gateway.reading.shapes import nearest


class ToolFacts(msgspec.Struct, frozen=True):
    """What a policy's author should know of one tool."""

    name: str
    arguments: frozenset[str] | None
    """The names of its arguments; None where the server does not say."""
    switch: str | None = None
    """The path of an argument that decides how risky a call is: `args.action`."""


def lint_tools(policy: Policy, tools: Sequence[ToolFacts]) -> Iterator[Fault]:
    """What is unwise in a checked policy for a server with these tools: the path in its version-1 form, and why."""
    yield from _unknown_names(policy, tools)
    yield from _ties(policy, tools)
    for place, rules in places(policy):
        if place[0] not in ("tools", "all_tools"):
            continue
        judged = tools if place == ("all_tools",) else _judged_by(str(place[1]), policy, tools)
        yield from _unknown_arguments(place, rules, judged)
        if place[0] == "tools":
            yield from _unseen_actions(place, rules, judged)


def _unknown_names(policy: Policy, tools: Sequence[ToolFacts]) -> Iterator[Fault]:
    names = {tool.name for tool in tools}
    keys: list[tuple[Path, str]] = [(("tools", key), key) for key in policy.tools]
    keys += [(("hide", index), key) for index, key in enumerate(policy.hide)]
    for path, key in keys:
        if is_glob(key):
            if not any(fastpath.matches_glob(key, name) for name in names):
                yield path, f"the server has no tool that `{key}` matches"
        elif key not in names:
            close = nearest(key, names)
            yield path, f"the server has no tool `{key}`{close if 'did you mean' in close else ''}"


def _ties(policy: Policy, tools: Sequence[ToolFacts]) -> Iterator[Fault]:
    keyed = Keyed(
        {key: key for key in policy.tools if not is_glob(key)},
        ranked((key, lambda name: name) for key in policy.tools if is_glob(key)),
    )
    for tool in tools:
        try:
            keyed.find(tool.name)
        except AmbiguousError as error:
            first, second = error.globs
            why = f"matches `{tool.name}` as `{second}` does and neither is more specific, so it is denied; name it"
            yield ("tools", first), why


def _judged_by(key: str, policy: Policy, tools: Sequence[ToolFacts]) -> list[ToolFacts]:
    """The tools that a key of the policy applies to, or might."""
    if not is_glob(key):
        return [tool for tool in tools if tool.name == key]
    return [tool for tool in tools if tool.name not in policy.tools and fastpath.matches_glob(key, tool.name)]


def _unknown_arguments(place: Path, rules: Any, judged: Sequence[ToolFacts]) -> Iterator[Fault]:
    known = [tool.arguments for tool in judged if tool.arguments is not None]
    # What some tool does not tell, it may have.
    if not known or len(known) < len(judged):
        return
    arguments = frozenset[str]().union(*known)
    for path, written, consequence in _paths(place, rules):
        first = parse_path(written).steps[0]
        if isinstance(first, str) and first not in arguments:
            whose = f"`{judged[0].name}` has" if len(judged) == 1 else "these tools have"
            close = nearest(first, arguments)
            yield path, f"{whose} no argument `{first}`, so {consequence}{close if 'did you mean' in close else ''}"


def _paths(place: Path, rules: Any) -> Iterator[tuple[Path, str, str]]:
    """Every path into the arguments, as it is written, and what comes of an argument that nobody sends."""
    consequences = {
        "require": "every call is denied",
        "deny_if": "the rule never fires",
        "approve_if": "the rule never asks",
    }
    for part, consequence in consequences.items():
        for index, rule in enumerate(getattr(rules, part, ())):
            for number, condition in enumerate(rule.conditions):
                is_absence = condition.op == "exists" and condition.value is False
                told = "the condition always holds" if is_absence else consequence
                yield (*place, part, index, "conditions", number), condition.path, told
    for index, limit in enumerate(rules.limits):
        if limit.increment_from is not None:
            yield (*place, "limits", index, "increment_from"), limit.increment_from, "every call is denied"
    if hasattr(rules, "audit"):
        for index, path in enumerate(rules.audit.keep):
            yield (*place, "audit", "keep", index), path, "nothing is recorded"


def _unseen_actions(place: Path, rules: Any, judged: Sequence[ToolFacts]) -> Iterator[Fault]:
    if not rules.limits and rules.rate_limit is None:
        return
    ruled = (*rules.require, *rules.deny_if, *rules.approve_if)
    seen = {condition.path for rule in ruled for condition in rule.conditions}
    field = "limits" if rules.limits else "rate_limit"
    for tool in judged:
        switch = tool.switch
        if switch is None or switch in seen or _mentions(rules.arguments, switch):
            continue
        why = f"limits `{tool.name}` without looking at `{switch}`, which decides what a call can do; add a rule on it"
        yield (*place, field), why


def _mentions(schema: Any, switch: str) -> bool:
    """Whether the policy's own schema speaks of the argument."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    return isinstance(properties, dict) and switch.removeprefix("args.") in properties
