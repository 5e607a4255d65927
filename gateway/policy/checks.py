"""What a policy document must fulfil beyond the shapes of `model.py`. Called by `load.py`.

Works on each field by itself, so that a mistake in one hides none in another.
"""

from collections.abc import Container, Iterable, Iterator
from typing import Any, Final

import msgspec

from gateway.documents import Document
from gateway.policy.approvals import approval_faults
from gateway.policy.conditions import compile_value
from gateway.policy.limits import Counter, conflicts, counter_from, rate_counter
from gateway.policy.model import (
    AllTools,
    Approval,
    Audit,
    Condition,
    Limit,
    Policy,
    PromptRules,
    ResourceRules,
    Rule,
    ToolRules,
)
from gateway.policy.paths import parse_path
from gateway.policy.schemas import compile_schema
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
    weighted = {part.sound["counter"] for part in parts if part.kind is Limit and _is_weighted(part)}
    for part in parts:
        for field, message in _field_faults(part, weighted):
            yield (*part.path, field), message
    yield from _name_faults(document)
    yield from _repeated_ids(parts, document)
    yield from _disagreements(parts, weighted, document)


def _parts(document: Document) -> Iterator[_Part]:
    for path, value in document.parts().items():
        kind = _kind(path)
        if kind is not None and isinstance(value, dict):
            yield _Part(path, kind, value, sound_fields(value, kind))
        match path, value:
            case ("tools", str(tool), "rate_limit"), dict():
                short = {**value, "counter": rate_counter(tool), "scope": "session"}
                yield _Part(path, Limit, value, sound_fields(short, Limit))


def _kind(path: Path) -> type[msgspec.Struct] | None:
    """What stands at a path of a policy."""
    match path:
        case ():
            return Policy
        case ("all_tools",):
            return AllTools
        case ("tools", str()):
            return ToolRules
        case ("resources", str()):
            return ResourceRules
        case ("prompts", str()):
            return PromptRules
        case ("tools" | "resources" | "prompts", str(), *inner) | ("all_tools", *inner):
            return _inner_kind(inner)
        case _:
            return None


def _inner_kind(path: list[str | int]) -> type[msgspec.Struct] | None:
    """What stands at a path within the rules of one entry."""
    match path:
        case ["require" | "deny_if" | "approve_if", int()]:
            return Rule
        case ["require" | "deny_if" | "approve_if", int(), "conditions", int()]:
            return Condition
        case ["limits", int()]:
            return Limit
        case ["approval"]:
            return Approval
        case ["audit"]:
            return Audit
        case _:
            return None


def _field_faults(part: _Part, weighted: Container[str]) -> Iterator[tuple[str, str]]:
    """What is wrong within one part: the field, and what would mend it."""
    if part.kind in (AllTools, ToolRules, ResourceRules, PromptRules):
        yield from _reason_faults(part.sound)
        yield from _schema_faults(part.sound)
    elif part.kind is Rule:
        yield from _id_faults(part.sound)
    elif part.kind is Condition:
        yield from _condition_faults(part)
    elif part.kind is Limit:
        yield from conflicts(part.sound, is_weighted=part.sound.get("counter") in weighted)
    elif part.kind is Approval:
        yield from approval_faults(part.sound)
    elif part.kind is Audit:
        yield from _keep_faults(part.sound)


def _is_weighted(part: _Part) -> bool:
    """Whether a limit makes its counter one of costs, as `limits.is_weighted` has it."""
    return "counter" in part.sound and (
        part.sound.get("increment_from") is not None or part.sound.get("increment") not in (None, 1)
    )


def _reason_faults(rules: dict[str, Any]) -> Iterator[tuple[str, str]]:
    match rules:
        case {"action": "allow", "reason": str()}:
            message = (
                "only `action: deny` and `action: require_approval` have a reason; "
                "add one, or write `on_deny` into the rules and limits"
            )
            yield "reason", message


def _schema_faults(rules: dict[str, Any]) -> Iterator[tuple[str, str]]:
    match rules:
        case {"arguments": dict(schema)}:
            try:
                compile_schema(schema)
            except ValueError as error:
                yield "arguments", str(error)


def _keep_faults(audit: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for path in audit.get("keep", ()):
        try:
            parse_path(path)
        except ValueError as error:
            yield "keep", str(error)


def _id_faults(rule: dict[str, Any]) -> Iterator[tuple[str, str]]:
    id = rule.get("id")
    if id is None:
        return
    if not 1 <= len(id) <= LONGEST_ID:
        yield "id", f"an id has 1 to {LONGEST_ID} characters; this one has {len(id)}"
    elif id[0] in "/(":
        yield "id", f"an id must not start with `{id[0]}`: that is how the gateway's own names begin"


def _condition_faults(condition: _Part) -> Iterator[tuple[str, str]]:
    of_length = False
    match condition.sound:
        case {"path": path}:
            try:
                of_length = parse_path(path).of_length
            except ValueError as error:
                yield "path", str(error)
    match condition.sound:
        case {"op": op, "value": value}:
            try:
                compile_value(op, value, of_length=of_length)
            except ValueError as error:
                yield "value", str(error)


def _name_faults(document: Document) -> Iterator[Fault]:
    for path, value in document.parts().items():
        match path:
            case ("hide", int()) if value == "":
                yield path, "an empty name hides nothing; write a tool's name, or `*` for all"
            case ("tools" | "resources" | "prompts", ""):
                yield path, "an empty name matches nothing; write a name, or a glob such as `get_*`"


def _repeated_ids(parts: Iterable[_Part], document: Document) -> Iterator[Fault]:
    first: dict[str, Path] = {}
    for part in parts:
        id = part.sound.get("id")
        if id is None:
            continue
        at = (*part.path, "id")
        if first.setdefault(id, at) != at:
            yield at, f"the id `{id}` is taken by {document.place(first[id])}; choose another"


def _disagreements(parts: Iterable[_Part], weighted: Container[str], document: Document) -> Iterator[Fault]:
    first: dict[str, tuple[Path, Counter]] = {}
    for part in parts:
        if part.kind is not Limit:
            continue
        counter = counter_from(part.sound, is_weighted=part.sound.get("counter") in weighted)
        if counter is None:
            continue
        at, agreed = first.setdefault(counter.name, (part.path, counter))
        if counter != agreed:
            message = (
                f"the counter `{counter.name}` is shared with {document.place(at)}; "
                "make both agree on window, max, scope, algorithm and burst, or name another counter"
            )
            yield part.path, message
