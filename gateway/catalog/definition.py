"""One tool's definition, as a server lists it, read into values: the hints, and the arguments at every depth.

The server is trusted half at most: whatever it sends is read without failing and within bounds, and what cannot be
read is marked so that `classify` takes the worse for granted.
"""

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import orjson

MAX_SCHEMAS: Final = 2000
"""How many schemas of one definition are looked at."""
_MAX_DEPTH: Final = 8
# A list with a bound beyond this is as good as unbounded.
LARGEST_LIST: Final = 100

_COMBINATORS: Final = ("anyOf", "oneOf", "allOf")
# What has a meaning in the path of a condition.
_SPECIAL: Final = re.compile(r"[\\.\[\]()]")


class Hints(msgspec.Struct, frozen=True):
    """What the server claims about a tool (2025-11-25 server/tools, "ToolAnnotations"). None where it says nothing."""

    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None
    open_world: bool | None = None


class Argument(msgspec.Struct, frozen=True):
    """One argument, or a member of one."""

    name: str
    path: str
    """As a condition of a policy writes it."""
    types: frozenset[str]
    """JSON types; empty where any will do."""
    values: tuple[Any, ...]
    """All values it takes; empty where there is no closed set."""
    default: Any = None
    is_required: bool = False
    is_unbounded: bool = False
    """A list, or an object of free members, without a bound worth the name."""


class Definition(msgspec.Struct, frozen=True):
    """One entry of `tools/list`."""

    name: str
    description: str = ""
    hints: Hints = Hints()
    arguments: tuple[Argument, ...] = ()
    is_whole: bool = True
    """False where the schema is larger or deeper than is looked at, or refers to what is not there."""


def read_definition(entry: dict[str, Any]) -> Definition:
    """Read an entry of a list, whose `name` must be a string. Never fails on what else is in it."""
    annotations, schema = entry.get("annotations"), entry.get("inputSchema")
    description = entry.get("description")
    walk = _Walk(schema)
    return Definition(
        name=entry["name"],
        description=description if isinstance(description, str) else "",
        hints=_hints(annotations if isinstance(annotations, dict) else {}),
        arguments=tuple(walk.arguments(schema, "args", 0)),
        is_whole=walk.is_whole,
    )


def _hints(annotations: dict[str, Any]) -> Hints:
    def hint(name: str) -> bool | None:
        value = annotations.get(name)
        return value if isinstance(value, bool) else None

    return Hints(hint("readOnlyHint"), hint("destructiveHint"), hint("idempotentHint"), hint("openWorldHint"))


class _Walk:
    """Goes through one schema, and no further than the bounds."""

    def __init__(self, root: Any) -> None:
        self.is_whole = isinstance(root, dict)
        self._root = root
        self._seen = 0

    def arguments(self, schema: Any, path: str, depth: int) -> Iterator[Argument]:
        """Every member that a value of this schema may have, at any depth."""
        if depth > _MAX_DEPTH:
            self.is_whole = False
            return
        members: dict[str, list[dict[str, Any]]] = {}
        required: set[str] = set()
        for leaf in self._leaves(schema, ()):
            for name, member in _object(leaf.get("properties")).items():
                members.setdefault(name, []).extend(self._leaves(member, ()))
            required.update(name for name in _array(leaf.get("required")) if isinstance(name, str))
        for name, leaves in members.items():
            if not name:
                self.is_whole = False
                continue
            at = f"{path}.{_step(name)}"
            yield _argument(name, at, leaves, is_required=name in required)
            for leaf in leaves:
                yield from self.arguments(leaf, at, depth + 1)
                if "items" in leaf:
                    yield from self.arguments(leaf["items"], f"{at}[*]", depth + 1)

    def _leaves(self, schema: Any, within: tuple[int, ...]) -> list[dict[str, Any]]:
        """The alternatives that a schema comes down to, references followed."""
        self._seen += 1
        if self._seen > MAX_SCHEMAS or id(schema) in within or not isinstance(schema, dict):
            # `true` is a schema as well: any value.
            self.is_whole = self.is_whole and schema is True
            return [{}]
        within = (*within, id(schema))
        parts = [part for word in _COMBINATORS for part in _array(schema.get(word))]
        if "$ref" in schema:
            parts.append(self._referred(schema["$ref"]))
        own = {key: value for key, value in schema.items() if key not in (*_COMBINATORS, "$ref", "$defs")}
        found = [leaf for part in parts for leaf in self._leaves(part, within)]
        if not found:
            return [own]
        # What stands beside the alternatives holds for each of them.
        return [leaf | own for leaf in found]

    def _referred(self, reference: Any) -> Any:
        """What a reference within the same schema stands for; nothing is ever fetched."""
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        target = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            target = target.get(key) if isinstance(target, dict) else None
        return target


def _argument(name: str, path: str, leaves: list[dict[str, Any]], *, is_required: bool) -> Argument:
    types = [_types(leaf) for leaf in leaves]
    choices = [_values(leaf) for leaf in leaves if _types(leaf) != {"null"}]
    return Argument(
        name=name,
        path=path,
        types=frozenset().union(*types) if all(types) else frozenset(),
        values=tuple(_distinct(value for choice in choices for value in choice)) if all(choices) else (),
        default=next((leaf["default"] for leaf in leaves if "default" in leaf), None),
        is_required=is_required,
        is_unbounded=any(_is_unbounded(leaf) for leaf in leaves),
    )


def _step(name: str) -> str:
    """A member's name as a step of a path: a backslash takes the next character as it is."""
    return _SPECIAL.sub(r"\\\g<0>", name)


def _types(leaf: dict[str, Any]) -> set[str]:
    written = leaf.get("type")
    return {type_ for type_ in (written if isinstance(written, list) else [written]) if isinstance(type_, str)}


def _values(leaf: dict[str, Any]) -> list[Any]:
    """The closed set of values; empty where there is none. Null is no choice."""
    values = [leaf["const"]] if "const" in leaf else _array(leaf.get("enum"))
    return [value for value in values if value is not None]


def _is_unbounded(leaf: dict[str, Any]) -> bool:
    types = _types(leaf)
    if "array" in types:
        return not _is_small(leaf.get("maxItems"))
    is_map = "object" in types and not _object(leaf.get("properties")) and leaf.get("additionalProperties") is not False
    return is_map and not _is_small(leaf.get("maxProperties"))


def _is_small(bound: Any) -> bool:
    return isinstance(bound, int | float) and bound <= LARGEST_LIST


def _distinct(values: Iterator[Any]) -> Iterator[Any]:
    seen: set[bytes] = set()
    for value in values:
        # As JSON, because 1 and true are equal to Python and lists have no hash.
        key = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        if key not in seen:
            seen.add(key)
            yield value


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _array(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
