"""Paths, values and types of conditions. Whether one holds is tested in `test_engine.py`."""

import re
from typing import Any

import pytest

from gateway import fastpath
from gateway.policy.conditions import compile_condition, compile_value, split_path, type_name
from gateway.policy.model import Condition, Operator


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("args.action", ("action",)),
        ("args.a.b", ("a", "b")),
        (r"args.a\.b", ("a.b",)),
        (r"args.a\\.b", ("a\\", "b")),
        (r"args.a\[0]", ("a[0]",)),
        ("args.args", ("args",)),
        ("args. ", (" ",)),
    ],
)
def test_dots_separate_keys_and_a_backslash_escapes(path: str, keys: tuple[str, ...]):
    """A path is the keys that lead to the argument."""
    assert split_path(path) == keys


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("action", "must start with `args.`, as in `args.action`"),
        ("args", "must start with `args.`"),
        ("", "must start with `args.`"),
        ("args.", "has an empty step"),
        ("args..a", "has an empty step"),
        ("args.a.", "has an empty step"),
        ("args.a\\", "ends in a backslash"),
        ("args.a[0]", "is not supported yet by this version"),
        ("args.a[*].b", "is not supported yet by this version"),
        ("length(args.a)", "is not supported yet by this version"),
    ],
)
def test_what_is_not_a_path_is_refused(path: str, message: str):
    """The error says what a path looks like, or that its form is not built yet."""
    with pytest.raises(ValueError, match=re.escape(message)):
        split_path(path)


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
    ("op", "value"),
    [("eq", {"a": None}), ("neq", []), ("contains", ""), ("in", [[None]]), ("exists", False), ("gt", -1.5)],
)
def test_other_values_are_accepted(op: Operator, value: Any):
    """Nulls inside a value, empty containers and empty text can all be compared."""
    assert compile_condition(Condition("args.a", op, value)).test({}) in (fastpath.HOLDS, fastpath.FAILS)


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
