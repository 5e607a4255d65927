"""Conditions of one rule that no argument can fulfil together. Called by `lint`.

It finds what is plain, and says nothing where it is not sure.
"""

import collections
import math
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway import fastpath
from gateway.policy.conditions import compile_condition
from gateway.policy.model import Condition
from gateway.policy.paths import parse_path

_ROOT: Final = "args.x"


def contradicting_path(conditions: Iterable[Condition]) -> str | None:
    """A path on which the conditions exclude each other; None where none is found."""
    by_path: dict[str, list[Condition]] = collections.defaultdict(list)
    for condition in conditions:
        by_path[condition.path].append(condition)
    return next((path for path, together in by_path.items() if _exclude_each_other(path, together)), None)


def _exclude_each_other(path: str, conditions: list[Condition]) -> bool:
    # Each element may fulfil another condition.
    if len(conditions) < 2 or parse_path(path).has_each:
        return False
    is_missing = [condition.op == "exists" and condition.value is False for condition in conditions]
    if any(is_missing):
        return not all(is_missing)
    named = [values for values in map(_named_values, conditions) if values is not None]
    if named:
        return not any(_fulfils(value, conditions) for value in named[0])
    return _leaves_no_number(conditions)


def _named_values(condition: Condition) -> list[Any] | None:
    """All values that fulfil the condition, where it names them."""
    match condition.op, condition.value:
        case "eq", value:
            return [value]
        case "in", list(values):
            return values
        case _:
            return None


def _fulfils(value: object, conditions: Iterable[Condition]) -> bool:
    # The value is what the path leads to, or its length.
    tests = (
        compile_condition(msgspec.structs.replace(condition, path=_ROOT), at_root=True) for condition in conditions
    )
    return all(test.test(value, True) == fastpath.HOLDS for test in tests)


def _leaves_no_number(conditions: Iterable[Condition]) -> bool:
    low, high = -math.inf, math.inf
    is_open = False
    for condition in conditions:
        value: Any = condition.value
        match condition.op:
            case "gt" | "gte" if value >= low:
                is_open = condition.op == "gt" or (is_open and value == low)
                low = value
            case _:
                pass
    for condition in conditions:
        value = condition.value
        match condition.op:
            case "lt" | "lte" if value <= high:
                high = value
                is_open = is_open or condition.op == "lt"
            case _:
                pass
    return low > high or (low == high and is_open)
