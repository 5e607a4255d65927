"""Conditions on arguments: their operators, and what each operator can compare.

A document's condition becomes one of the core's here. Whether it holds for a call is the core's to say.
"""

from typing import Final, assert_never

from gateway import fastpath
from gateway.policy.model import Condition, Operator
from gateway.policy.paths import parse_path
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


def compile_value(op: Operator, value: object, *, of_length: bool = False) -> object:
    """The value as the core wants it for this operator.

    Raises ValueError for a value that no argument, or with `of_length` no length, could match (policy.md,
    "Conditions").
    """
    if of_length:
        _check_length(op, value)
    match op:
        case "lt" | "lte" | "gt" | "gte":
            if not _is_number(value):
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


def compile_condition(condition: Condition, *, at_root: bool = False) -> fastpath.Condition:
    """The core's condition for one whose path and value have been checked.

    `at_root` for one that tests what the path leads to, instead of the arguments.
    """
    path = parse_path(condition.path)
    value = compile_value(condition.op, condition.value, of_length=path.of_length)
    return fastpath.Condition(() if at_root else path.steps, _OPERATORS[condition.op], value, path.of_length)


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


def _check_length(op: Operator, value: object) -> None:
    if op in ("exists", "regex", "contains"):
        raise ValueError(f"`{op}` does not compare a length, which is a number; test the argument without `length()`")
    for member in value if isinstance(value, list) else [value]:
        if not isinstance(member, int | float) or isinstance(member, bool) or member < 0:
            raise ValueError(f"a length is a number from 0 on and never {_described(member)}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _members(op: Operator, value: object) -> tuple[object, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"`{op}` needs a list of at least one value, not {_described(value)}")
    if None in value:
        raise ValueError(f"`{op}` never finds null; take it out of the list")
    return tuple(value)


def _described(value: object) -> str:
    if value == []:
        return "an empty list"
    return "a negative number" if _is_number(value) and value < 0 else type_name(value)  # type: ignore[operator]
