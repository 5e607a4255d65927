"""The names by which a decision says what decided it (policy.md, "Order of evaluation")."""

import collections
from collections.abc import Iterable
from typing import Final

from gateway.policy.decision import Kind
from gateway.policy.model import Rule

NO_POLICY: Final = "(no policy)"
HIDDEN: Final = "(hidden)"
DEFAULT_DENY: Final = "(default deny)"
DEFAULT_ALLOW: Final = "(default allow)"
AMBIGUOUS: Final = "(ambiguous)"
SCHEMA_UNAVAILABLE: Final = "(schema unavailable)"
COUNTERS_FULL: Final = "(counters full)"
# Rules that are no policy's: of the protocol, and of the gateway itself.
PROTOCOL: Final = "(protocol)"
UNKNOWN_TASK: Final = "(unknown task)"
UNKNOWN_METHOD: Final = "(unknown method)"
AUDIT_UNAVAILABLE: Final = "(audit unavailable)"
OVERLOADED: Final = "(overloaded)"
SESSION_LOST: Final = "(session lost)"
PINNED: Final = "(pinned)"
INTERNAL_ERROR: Final = "(internal error)"
ALL_TOOLS: Final = "/all_tools"


def place_of(kind: Kind, key: str) -> str:
    """Where the rules of an entry stand: `/tools/<key>`, the key escaped as in a JSON pointer."""
    return f"/{kind.value}/" + key.replace("~", "~0").replace("/", "~1")


def rule_names(place: str, rules: Iterable[Rule]) -> tuple[str, ...]:
    """A name for each rule of the list at `place` (such as `/tools/comments/deny_if`).

    A rule's own `id`, or else its conditions. Where these repeat, the second gets `#2`.
    """
    seen = collections.Counter[str]()
    names = []
    for rule in rules:
        if rule.id is not None:
            names.append(rule.id)
            continue
        name = f"{place}/{_conditions(rule)}"
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return tuple(names)


def limit_name(place: str, counter: str) -> str:
    """The name of a limit that stands at `place`, by its counter."""
    return f"{place}/limits/{counter}"


def _conditions(rule: Rule) -> str:
    return "+".join(f"{condition.path}-{condition.op}" for condition in rule.conditions) or "always"
