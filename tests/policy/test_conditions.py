"""Values and types of conditions. Whether one holds is tested in `test_engine.py`."""

import re
from typing import Any

import pytest

from gateway import fastpath
from gateway.policy.conditions import compile_condition, compile_value, type_name
from gateway.policy.model import Condition, Operator


@pytest.mark.parametrize(
    ("op", "value", "message"),
    [
        ("eq", None, "`eq` never holds for null"),
        ("neq", None, "`neq` never holds for null"),
        ("contains", None, "`contains` never holds for null"),
        ("lt", "3", "its value must be a number, not a string"),
        ("lte", True, "its value must be a number, not a boolean"),
        ("gt", None, "its value must be a number, not null"),
        ("gte", [3], "its value must be a number, not an array"),
        ("in", "x", "a list of at least one value, not a string"),
        ("in", [], "a list of at least one value, not an empty list"),
        ("not_in", [1, None], "take it out of the list"),
        ("exists", 1, "true or false, not a number"),
        ("regex", 1, "a pattern as a string, not a number"),
        ("regex", "(", "a `(` is never closed"),
    ],
)
def test_a_value_that_no_argument_could_match_is_refused(op: Operator, value: Any, message: str):
    """A condition that could never do what it says is a mistake, not a rule."""
    with pytest.raises(ValueError, match=re.escape(message)):
        compile_value(op, value)


@pytest.mark.parametrize(
    ("op", "value", "message"),
    [
        ("exists", True, "test the argument without `length()`"),
        ("regex", "x", "`regex` does not compare a length"),
        ("contains", 1, "`contains` does not compare a length"),
        ("eq", "3", "never a string"),
        ("lt", True, "never a boolean"),
        ("in", [1, -1], "never a negative number"),
    ],
)
def test_a_length_is_compared_with_what_a_length_can_be(op: Operator, value: Any, message: str):
    """Numbers from 0 on, by the operators that compare numbers."""
    with pytest.raises(ValueError, match=re.escape(message)):
        compile_value(op, value, of_length=True)


def test_a_condition_can_be_made_for_what_its_path_leads_to():
    """It compares as the whole one would at the end of the path."""
    condition = Condition("length(args.a.b)", "gt", 2)
    assert compile_condition(condition).test({"a": {"b": "xyz"}}, True) == fastpath.HOLDS
    assert compile_condition(condition, at_root=True).test("xyz", True) == fastpath.HOLDS


@pytest.mark.parametrize(
    ("op", "value"),
    [("eq", {"a": None}), ("neq", []), ("contains", ""), ("in", [[None]]), ("exists", False), ("gt", -1.5)],
)
def test_other_values_are_accepted(op: Operator, value: Any):
    """Nulls inside a value, empty containers and empty text can all be compared."""
    assert compile_condition(Condition("args.a", op, value)).test({}, True) in (fastpath.HOLDS, fastpath.FAILS)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (None, "null"),
        (False, "a boolean"),
        (0, "a number"),
        (0.5, "a number"),
        ("", "a string"),
        ([], "an array"),
        ({}, "an object"),
    ],
)
def test_every_json_type_has_a_name(value: Any, name: str):
    """Types are called what JSON calls them."""
    assert type_name(value) == name
