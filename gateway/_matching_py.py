"""Matching in plain Python: the specification of `_matching.pyx`, which must do the same, word for word.

Compares arguments with the conditions of rules, and names with globs. It holds no state. Called by the core and
through `gateway.fastpath`.
"""

import operator
from typing import Any

EQ, NEQ, LT, LTE, GT, GTE, IN, NOT_IN, EXISTS, REGEX, CONTAINS = range(11)
HOLDS, FAILS, MISTYPED = range(3)
EACH = -1

# One step of a path: a key of an object, an index of an array, or EACH for every element of an array.
Step = str | int

# Indexes of the compiled twin are 63 bits wide; no body has so many elements.
_MAX_INDEX = (1 << 31) - 1

_ORDER = {LT: operator.lt, LTE: operator.le, GT: operator.gt, GTE: operator.ge}
_BLOCKED = object()


class Condition:
    """One test of one argument, or of each element of one (policy.md, "Conditions")."""

    def __init__(self, path: tuple[Step, ...], op: int, value: object, of_length: bool = False) -> None:
        """`path` leads from the arguments down; with `of_length` the length of what it leads to is compared.

        Raises ValueError for a step that is none, and unless `value` fits `op`: a number for LT, LTE, GT, GTE; a
        tuple for IN, NOT_IN; a bool for EXISTS; a Pattern for REGEX.
        """
        if not _fits(op, value):
            raise ValueError(f"operator {op} cannot compare with a {type(value).__name__}")
        check_path(path, EACH)
        self._path = path
        self._op = op
        self._value: Any = value
        self._of_length = of_length

    def test(self, arguments: object, every: bool) -> int:
        """HOLDS, FAILS or MISTYPED for these arguments.

        Where the path has EACH: with `every`, HOLDS if there are elements and all of them hold, else what the first
        that does not hold gives, FAILS if there is none. Without it, HOLDS if any holds, else MISTYPED if any is.
        """
        return self._test(arguments, 0, every)

    def _test(self, value: Any, depth: int, every: bool) -> int:
        """The result for `value`, which the first `depth` steps have led to."""
        for position in range(depth, len(self._path)):
            if value is None:
                break
            step = self._path[position]
            if step == EACH:
                return self._test_each(value, position + 1, every) if type(value) is list else MISTYPED
            value = _take(value, step)
        return MISTYPED if value is _BLOCKED else self._compare(value)

    def _test_each(self, elements: list[Any], depth: int, every: bool) -> int:
        results = [self._test(element, depth, every) for element in elements]
        if every:
            return next((result for result in results if result != HOLDS), HOLDS if results else FAILS)
        return next((result for result in (HOLDS, MISTYPED) if result in results), FAILS)

    def _compare(self, argument: Any) -> int:
        if self._of_length and argument is not None:
            if type(argument) not in (str, list, dict):
                return MISTYPED
            argument = len(argument)
        if self._op == EXISTS:
            return HOLDS if (argument is not None) == self._value else FAILS
        if argument is None:
            return FAILS
        if not _is_comparable(self._op, argument, self._value):
            return MISTYPED
        return HOLDS if _compare(self._op, argument, self._value) else FAILS


class Rule:
    """Conditions that must all be met."""

    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        self._conditions = conditions

    def _first_unmet(self, arguments: object) -> int:
        """The first condition that does not hold for every element it speaks of; -1 if all do."""
        for place, condition in enumerate(self._conditions):
            if condition.test(arguments, True) != HOLDS:
                return place
        return -1

    def _fires(self, arguments: object) -> tuple[bool, int]:
        """Whether no condition fails for all elements, and the first that is mistyped, -1 if none is."""
        results = [condition.test(arguments, False) for condition in self._conditions]
        return FAILS not in results, results.index(MISTYPED) if MISTYPED in results else -1


def check_path(path: tuple[Step, ...], lowest: int) -> None:
    """Raises ValueError unless every step is a key or an index of at least `lowest`."""
    for step in path:
        if type(step) is not str and not (type(step) is int and lowest <= step <= _MAX_INDEX):
            raise ValueError(f"a path cannot take the step {step!r}")


def find(arguments: object, path: tuple[Step, ...]) -> Any:
    """The value at a path without EACH; None where it is missing or null, or a step met what it cannot walk into."""
    value: Any = arguments
    for step in path:
        if value is None:
            break
        value = _take(value, step)
    return None if value is _BLOCKED else value


def _take(value: Any, step: Step) -> Any:
    """The member or element; None if there is none, `_BLOCKED` if `value` is not what the step walks into."""
    if isinstance(step, str):
        return value.get(step) if type(value) is dict else _BLOCKED
    if type(value) is not list:
        return _BLOCKED
    return value[step] if step < len(value) else None


def _fits(op: int, value: object) -> bool:
    if op in _ORDER:
        return _json_type(value) is float
    if op in (IN, NOT_IN):
        return type(value) is tuple
    if op == EXISTS:
        return type(value) is bool
    if op == REGEX:
        return hasattr(value, "is_valid")
    return op in (EQ, NEQ, CONTAINS)


def _json_type(value: object) -> type:
    """The exact class that stands for the value's JSON type; float for every number (a bool is none)."""
    return float if type(value) is int else type(value)


def _is_comparable(op: int, argument: object, value: Any) -> bool:
    kind = _json_type(argument)
    if op in (EQ, NEQ):
        return kind is _json_type(value)
    if op in _ORDER:
        return kind is float
    if op in (IN, NOT_IN):
        return any(kind is _json_type(member) for member in value)
    if op == REGEX:
        return kind is str
    return kind is list or (kind is str and type(value) is str)


def _compare(op: int, argument: Any, value: Any) -> bool:
    if op in (EQ, NEQ):
        return _equal(argument, value) == (op == EQ)
    if op in _ORDER:
        return bool(_ORDER[op](argument, value))
    if op in (IN, NOT_IN):
        return any(_equal(argument, member) for member in value) == (op == IN)
    if op == REGEX:
        return bool(value.is_valid(argument))
    if type(argument) is str:
        return value in argument
    return any(_equal(element, value) for element in argument)


def _equal(left: Any, right: Any) -> bool:
    """Deep equality of JSON values: types first, numbers exactly, keys in any order."""
    if _json_type(left) is not _json_type(right):
        return False
    if type(left) is list:
        return len(left) == len(right) and all(map(_equal, left, right))
    if type(left) is dict:
        return left.keys() == right.keys() and all(_equal(left[key], right[key]) for key in left)
    return bool(left == right)


def matches_glob(pattern: str, name: str) -> bool:
    """Whether the whole name matches: `*` is any run of characters, every other character is itself."""
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == name
    if not name.startswith(first):
        return False
    # The leftmost place of each piece leaves the most room for the next, so nothing is tried twice.
    *middle, last = rest
    position = len(first)
    for piece in middle:
        found = name.find(piece, position)
        if found < 0:
            return False
        position = found + len(piece)
    return name.endswith(last, position)
