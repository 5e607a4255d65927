"""Conditions on arguments: their paths, their operators, and what each operator can compare.

A document's condition becomes one of the core's here. Whether it holds for a call is the core's to say.
"""

from collections.abc import Iterator
from typing import Final, assert_never

from gateway import fastpath
from gateway.policy.model import Condition, Operator
from gateway.policy.patterns import compile_pattern

_OPERATORS: Final[dict[Operator, int]] = {
    "eq": fastpath.EQ,
    "neq": fastpath.NEQ,
    "lt": fastpath.LT,
    "lte": fastpath.LTE,
    "gt": fastpath.GT,
    "gte": fastpath.GTE,
    "in": fastpath.IN,
    "not_in": fastpath.NOT_IN,
    "exists": fastpath.EXISTS,
    "regex": fastpath.REGEX,
    "contains": fastpath.CONTAINS,
}

_ROOT: Final = "args."


def split_path(path: str) -> tuple[str, ...]:
    r"""The object keys of a path, from the arguments down: `args.a.b` gives `a`, `b`.

    A backslash takes the next character as it is, so `args.a\.b` is the one key `a.b`. Raises ValueError,
    saying what would be right.
    """
    if path.startswith("length("):
        raise ValueError("`length()` is not supported yet by this version; test the argument itself")
    if not path.startswith(_ROOT):
        raise ValueError(f"the path `{path}` must start with `args.`, as in `args.action`")
    keys = [""]
    characters = iter(path.removeprefix(_ROOT))
    for character in characters:
        match character:
            case "\\":
                keys[-1] += _escaped(characters, path)
            case ".":
                keys.append("")
            case "[":
                raise ValueError(r"`[…]` is not supported yet by this version; for a key that holds a [ write `\[`")
            case _:
                keys[-1] += character
    if "" in keys:
        raise ValueError(f"the path `{path}` has an empty step; write a name between the dots")
    return tuple(keys)


def compile_value(op: Operator, value: object) -> object:
    """The value as the core wants it for this operator.

    Raises ValueError for a value that no argument could match (policy.md, "Conditions").
    """
    match op:
        case "lt" | "lte" | "gt" | "gte":
            if not isinstance(value, int | float) or isinstance(value, bool):
                raise ValueError(f"`{op}` compares numbers; its value must be a number, not {_described(value)}")
        case "in" | "not_in":
            return _members(op, value)
        case "exists":
            if not isinstance(value, bool):
                raise ValueError(f"`exists` needs true or false, not {_described(value)}")
        case "regex":
            if not isinstance(value, str):
                raise ValueError(f"`regex` needs a pattern as a string, not {_described(value)}")
            return compile_pattern(value)
        case "eq" | "neq" | "contains":
            if value is None:
                raise ValueError(f"`{op}` never holds for null; to ask for an argument's presence use `exists`")
        case _:
            assert_never(op)
    return value


def compile_condition(condition: Condition) -> fastpath.Condition:
    """The core's condition for one whose path and value have been checked."""
    value = compile_value(condition.op, condition.value)
    return fastpath.Condition(split_path(condition.path), _OPERATORS[condition.op], value)


def type_name(value: object) -> str:
    """The JSON type of a value, with its article, as people say it."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
        case _:
            return "an object"


def _escaped(characters: Iterator[str], path: str) -> str:
    character = next(characters, None)
    if character is None:
        raise ValueError(f"the path `{path}` ends in a backslash; write two for the character itself")
    return character


def _members(op: Operator, value: object) -> tuple[object, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"`{op}` needs a list of at least one value, not {_described(value)}")
    if None in value:
        raise ValueError(f"`{op}` never finds null; take it out of the list")
    return tuple(value)


def _described(value: object) -> str:
    return "an empty list" if value == [] else type_name(value)
