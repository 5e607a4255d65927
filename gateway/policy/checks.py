"""What a policy document must fulfil beyond the shapes of `model.py`. Called by `load.py`.

Works on each field by itself, so that a mistake in one hides none in another.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from gateway.documents import Document
from gateway.policy.conditions import compile_value, split_path
from gateway.policy.limits import Counter, conflicts, counter_from
from gateway.policy.model import AllTools, Condition, Limit, Policy, Rule, ToolRules
from gateway.policy.unsupported import unsupported
from gateway.reading.outcome import Fault, Path
from gateway.reading.shapes import sound_fields

LONGEST_ID: Final = 64


class _Part(msgspec.Struct, frozen=True):
    """A mapping of the language that is there, what it is meant to be, and its fields that can be relied on."""

    path: Path
    kind: type[msgspec.Struct]
    raw: dict[str, object]
    sound: dict[str, Any]


def find_faults(document: Document) -> Iterator[Fault]:
    """Every mistake that the shapes do not show. What does not even have its shape is passed over."""
    parts = list(_parts(document))
    for part in parts:
        for field, message in (*unsupported(part.raw, part.kind), *_field_faults(part)):
            yield (*part.path, field), message
    yield from _name_faults(document)
    yield from _repeated_ids(parts, document)
    yield from _disagreements(parts, document)


def _parts(document: Document) -> Iterator[_Part]:
    for path, value in document.parts().items():
        kind = _kind(path)
        if kind is not None and isinstance(value, dict):
            yield _Part(path, kind, value, sound_fields(value, kind))


def _kind(path: Path) -> type[msgspec.Struct] | None:
    """What stands at a path of a policy."""
    match path:
        case ():
            return Policy
        case ("all_tools",):
            return AllTools
        case ("tools", str()):
            return ToolRules
        case ("tools", str(), "require" | "deny_if", int()):
            return Rule
        case ("tools", str(), "require" | "deny_if", int(), "conditions", int()):
            return Condition
        case ("tools", str(), "limits", int()) | ("all_tools", "limits", int()):
            return Limit
        case _:
            return None


def _field_faults(part: _Part) -> Iterator[tuple[str, str]]:
    """What is wrong within one part: the field, and what would mend it."""
    if part.kind is ToolRules:
        yield from _reason_faults(part.sound)
    elif part.kind is Rule:
        yield from _id_faults(part.sound)
    elif part.kind is Condition:
        yield from _condition_faults(part)
    elif part.kind is Limit:
        yield from conflicts(part.sound)


def _reason_faults(rules: dict[str, Any]) -> Iterator[tuple[str, str]]:
    match rules:
        case {"action": "allow", "reason": str()}:
            yield "reason", "only `action: deny` has a reason; add it, or write `on_deny` into the rules and limits"


def _id_faults(rule: dict[str, Any]) -> Iterator[tuple[str, str]]:
    id = rule.get("id")
    if id is None:
        return
    if not 1 <= len(id) <= LONGEST_ID:
        yield "id", f"an id has 1 to {LONGEST_ID} characters; this one has {len(id)}"
    elif id[0] in "/(":
        yield "id", f"an id must not start with `{id[0]}`: that is how the gateway's own names begin"


def _condition_faults(condition: _Part) -> Iterator[tuple[str, str]]:
    match condition.sound:
        case {"path": path}:
            try:
                split_path(path)
            except ValueError as error:
                yield "path", str(error)
    match condition.sound:
        case {"op": op, "value": value}:
            try:
                compile_value(op, value)
            except ValueError as error:
                yield "value", str(error)


def _name_faults(document: Document) -> Iterator[Fault]:
    for path, value in document.parts().items():
        match path:
            case ("hide", int()) if value == "":
                yield path, "an empty name hides nothing; write a tool's name, or `*` for all"
            case ("tools", str(name)) if "*" in name:
                yield path, "a tool name with `*` is not supported yet by this version; list the tools one by one"


def _repeated_ids(parts: Iterable[_Part], document: Document) -> Iterator[Fault]:
    first: dict[str, Path] = {}
    for part in parts:
        id = part.sound.get("id")
        if id is None:
            continue
        at = (*part.path, "id")
        if first.setdefault(id, at) != at:
            yield at, f"the id `{id}` is taken by {document.place(first[id])}; choose another"


def _disagreements(parts: Iterable[_Part], document: Document) -> Iterator[Fault]:
    first: dict[str, tuple[Path, Counter]] = {}
    for part in parts:
        counter = counter_from(part.sound) if part.kind is Limit else None
        if counter is None:
            continue
        at, agreed = first.setdefault(counter.name, (part.path, counter))
        if counter != agreed:
            message = (
                f"the counter `{counter.name}` is shared with {document.place(at)}; "
                "make both agree on window, max, scope, algorithm and burst, or name another counter"
            )
            yield part.path, message
