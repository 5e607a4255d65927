"""What a policy document must fulfil beyond the shapes of `model.py`. Called by `load.py`.

Works on each part by itself, so that a mistake in one part hides none in another.
"""

from collections.abc import Iterable, Iterator
from typing import Final, TypeVar

import msgspec

from gateway.documents import Document
from gateway.errors import Problem
from gateway.policy.conditions import compile_value, split_path
from gateway.policy.limits import Counter, conflicts, counter_of
from gateway.policy.model import AllTools, Condition, Limit, Policy, Rule, ToolRules

LONGEST_ID: Final = 64

Path = tuple[str | int, ...]
Fault = tuple[Path, str]
_Part = tuple[Path, dict[str, object], type[msgspec.Struct]]
_S = TypeVar("_S", bound=msgspec.Struct)

_NOT_SUPPORTED: Final = "not supported yet by this version; remove it"
# Words of policy.md that are not carried out yet. Whole fields of that kind are `UNSET` in the model.
_UNSUPPORTED_WORDS: Final = {"action": ("require_approval",), "scope": ("session", "server")}


def find_problems(document: Document) -> list[Problem]:
    """Every mistake that the shapes do not show. Parts that do not even have their shape are passed over."""
    parts = list(_parts(document.value))
    found = [fault for part in parts for fault in _faults(part)]
    found += _hidden_name_faults(document.value)
    found += _repeated_ids(parts, document)
    found += _disagreements(parts, document)
    return [document.problem(path, message) for path, message in found]


def _parts(root: object) -> Iterator[_Part]:
    """Every mapping of the language that is there, with its path and what it is meant to be."""
    if not isinstance(root, dict):
        return
    yield (), root, Policy
    yield from _rules_of(("all_tools",), root.get("all_tools"), AllTools)
    for tool, rules in _mapping(root.get("tools")).items():
        yield from _rules_of(("tools", tool), rules, ToolRules)


def _rules_of(path: Path, rules: object, struct: type[AllTools] | type[ToolRules]) -> Iterator[_Part]:
    if not isinstance(rules, dict):
        return
    yield path, rules, struct
    for name in ("require", "deny_if") if struct is ToolRules else ():
        for at, rule in _mappings(rules.get(name), (*path, name)):
            yield at, rule, Rule
            for inner, condition in _mappings(rule.get("conditions"), (*at, "conditions")):
                yield inner, condition, Condition
    for at, limit in _mappings(rules.get("limits"), (*path, "limits")):
        yield at, limit, Limit


def _mapping(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _mappings(value: object, path: Path) -> Iterator[tuple[Path, dict[str, object]]]:
    for index, element in enumerate(value if isinstance(value, list) else ()):
        if isinstance(element, dict):
            yield (*path, index), element


def _faults(part: _Part) -> Iterator[Fault]:
    path, raw, struct = part
    yield from _unsupported(path, raw, struct)
    if struct is ToolRules and "*" in str(path[-1]):
        yield path, "a tool name with `*` is not supported yet by this version; list the tools one by one"
    elif struct is Rule:
        yield from _id_faults(path, raw.get("id"))
    elif condition := _whole(part, Condition):
        yield from _condition_faults(path, condition)
    elif limit := _whole(part, Limit):
        yield from (((*path, field), message) for field, message in conflicts(limit))


def _unsupported(path: Path, raw: dict[str, object], struct: type[msgspec.Struct]) -> Iterator[Fault]:
    for field in msgspec.structs.fields(struct):
        name = field.encode_name
        if field.default is msgspec.UNSET and name in raw:
            yield (*path, name), f"`{name}` is {_NOT_SUPPORTED}"
        elif name in raw and raw[name] in _UNSUPPORTED_WORDS.get(name, ()):
            yield (*path, name), f"`{name}: {raw[name]}` is {_NOT_SUPPORTED}"


def _id_faults(path: Path, id: object) -> Iterator[Fault]:
    if not isinstance(id, str):
        return
    if not 1 <= len(id) <= LONGEST_ID:
        yield (*path, "id"), f"an id has 1 to {LONGEST_ID} characters; this one has {len(id)}"
    elif id[0] in "/(":
        yield (*path, "id"), f"an id must not start with `{id[0]}`: that is how the gateway's own names begin"


def _condition_faults(path: Path, condition: Condition) -> Iterator[Fault]:
    try:
        split_path(condition.path)
    except ValueError as error:
        yield (*path, "path"), str(error)
    try:
        compile_value(condition.op, condition.value)
    except ValueError as error:
        yield (*path, "value"), str(error)


def _hidden_name_faults(root: object) -> Iterator[Fault]:
    names = _mapping(root).get("hide")
    for index, name in enumerate(names if isinstance(names, list) else ()):
        if name == "":
            yield ("hide", index), "an empty name hides nothing; write a tool's name, or `*` for all"


def _repeated_ids(parts: Iterable[_Part], document: Document) -> Iterator[Fault]:
    first: dict[str, Path] = {}
    for path, raw, struct in parts:
        id = raw.get("id")
        if struct is not Rule or not isinstance(id, str):
            continue
        at = (*path, "id")
        if first.setdefault(id, at) != at:
            yield at, f"the id `{id}` is taken by {document.place(first[id])}; choose another"


def _disagreements(parts: Iterable[_Part], document: Document) -> Iterator[Fault]:
    first: dict[str, tuple[Path, Counter]] = {}
    for part in parts:
        limit = _whole(part, Limit)
        if limit is None or any(conflicts(limit)):
            continue
        path, counter = part[0], counter_of(limit)
        at, agreed = first.setdefault(limit.counter, (path, counter))
        if counter != agreed:
            message = (
                f"the counter `{limit.counter}` is shared with {document.place(at)}; "
                "make both agree on window, max, scope, algorithm and burst, or name another counter"
            )
            yield path, message


def _whole(part: _Part, struct: type[_S]) -> _S | None:
    """The part as a value, if it is of this kind and fits it."""
    if part[2] is not struct:
        return None
    try:
        return msgspec.convert(part[1], struct)
    except msgspec.ValidationError:
        return None
