"""Conditions that exclude each other."""

from typing import Any

import pytest

from gateway.policy.contradictions import contradicting_path
from gateway.policy.model import Condition


def found(*conditions: tuple[str, Any], path: str = "args.a") -> bool:
    """Whether conditions on one path are found to exclude each other."""
    return contradicting_path(Condition(path, op, value) for op, value in conditions) == path  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "conditions",
    [
        [("eq", 1), ("eq", 2)],
        [("eq", "x"), ("regex", "^y")],
        [("in", ["a", "b"]), ("not_in", ["a", "b", "c"])],
        [("in", [1, 2]), ("gt", 2)],
        [("eq", 1), ("neq", 1)],
        [("gt", 5), ("lt", 5)],
        [("gte", 5), ("lt", 5)],
        [("gt", 5), ("gte", 5), ("lte", 5)],
        [("gte", 6), ("lte", 5), ("neq", 1)],
        [("exists", False), ("eq", 1)],
        [("exists", False), ("exists", True)],
    ],
)
def test_conditions_that_exclude_each_other_are_found(conditions: Any):
    """In any order."""
    assert found(*conditions)
    assert found(*reversed(conditions))


@pytest.mark.parametrize(
    "conditions",
    [
        [("eq", 1)],
        [("eq", 1), ("eq", 1.0)],
        [("in", [1, 2]), ("gt", 1)],
        [("gte", 5), ("lte", 5)],
        [("gt", 4), ("lt", 5), ("neq", 4.5)],
        [("regex", "^a"), ("regex", "b$")],
        [("exists", False), ("exists", False)],
        [("exists", True), ("eq", 1)],
        [("neq", 1), ("neq", 2)],
        [],
    ],
)
def test_nothing_is_said_of_conditions_that_may_hold_together(conditions: Any):
    """Where it is not plain, they may."""
    assert not found(*conditions)


def test_lengths_are_numbers():
    """And compared as such."""
    assert found(("gt", 5), ("eq", 3), path="length(args.a)")
    assert not found(("gt", 5), ("eq", 7), path="length(args.a)")


def test_each_element_may_fulfil_another_condition():
    """So nothing is said of `[*]`, nor of different paths."""
    assert not found(("eq", 1), ("eq", 2), path="args.a[*]")
    assert contradicting_path([Condition("args.a", "eq", 1), Condition("args.b", "eq", 2)]) is None
