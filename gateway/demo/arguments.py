"""Binds a call's arguments to a tool's schema as leniently as BinAssistMCP does (pydantic's lax mode).

Unknown arguments are dropped, defaults filled in, "2" is an integer, "false" a boolean, and JSON text stands
for a list or an object. This leniency is what the gateway has to reckon with, so the demo has it too.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from gateway.demo.model import ToolError

_BOOLEANS = {
    **dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "off", "0"), False),
}

_Container = TypeVar("_Container", list[Any], dict[str, Any])


class _MismatchError(Exception):
    """A value that can't be taken for the type wanted."""


def bind(schema: Mapping[str, Any], given: Mapping[str, object]) -> dict[str, Any]:
    """Every argument that an object schema names, coerced. `ToolError` lists all that can't be used."""
    bound, problems = {}, []
    for name, wanted in schema["properties"].items():
        try:
            if name in given:
                bound[name] = _coerce(wanted, given[name])
            elif name in schema.get("required", ()):
                raise _MismatchError("Field required")
            else:
                bound[name] = wanted["default"]
        except _MismatchError as mismatch:
            problems.append(f"{name}\n  {mismatch}")
    if problems:
        noun = "validation error" if len(problems) == 1 else "validation errors"
        raise ToolError("\n".join([f"{len(problems)} {noun} for {schema['title']}", *problems]))
    return bound


def _coerce(wanted: Mapping[str, Any], value: object) -> object:
    if "anyOf" in wanted:
        return _coerce_any(wanted["anyOf"], value)
    match wanted.get("type"):
        case "string" if isinstance(value, str):
            return value
        case "integer":
            return _to_integer(value)
        case "boolean":
            return _to_boolean(value)
        case "array":
            items = _from_json_text(value, list)
            return [_coerce(wanted["items"], item) for item in items]
        case "object":
            return _from_json_text(value, dict)
        case "null" if value is None:
            return None
        case None:
            return value
        case name:
            raise _MismatchError(f"Input should be a valid {name}")


def _coerce_any(choices: list[Mapping[str, Any]], value: object) -> object:
    problem = _MismatchError("Input fits no type")
    for choice in choices:
        try:
            return _coerce(choice, value)
        except _MismatchError as mismatch:
            problem = mismatch
    raise problem


def _to_integer(value: object) -> int:
    try:
        if isinstance(value, int | str) or (isinstance(value, float) and value.is_integer()):
            return int(value)
    except ValueError:
        pass
    raise _MismatchError("Input should be a valid integer")


def _to_boolean(value: object) -> bool:
    match value:
        case bool():
            return value
        case str() if value.lower() in _BOOLEANS:
            return _BOOLEANS[value.lower()]
        case 0 | 1:
            return value == 1
        case _:
            raise _MismatchError("Input should be a valid boolean")


def _from_json_text(value: object, kind: type[_Container]) -> _Container:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            raise _MismatchError(f"Input should be a valid {kind.__name__}") from None
    if not isinstance(value, kind):
        raise _MismatchError(f"Input should be a valid {kind.__name__}")
    return value
