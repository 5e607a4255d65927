"""Arguments are bound as leniently as the real server binds them."""

import pytest

from gateway.demo.arguments import bind
from gateway.demo.model import ToolError

SCHEMA = {
    "title": "exampleArguments",
    "required": ["name"],
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer", "default": 7},
        "flag": {"type": "boolean", "default": False},
        "rows": {"type": "array", "items": {}, "default": []},
        "members": {"type": "object", "default": None},
        "size": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
        "bytes": {
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}],
            "default": "",
        },
    },
}
DEFAULTS = {"count": 7, "flag": False, "rows": [], "members": None, "size": None, "bytes": ""}


def test_what_is_left_out_takes_its_default():
    """Only the required argument need be given."""
    assert bind(SCHEMA, {"name": "x"}) == {"name": "x", **DEFAULTS}


def test_an_unknown_argument_is_dropped():
    """The schema decides what a tool gets."""
    assert bind(SCHEMA, {"name": "x", "nmae": "y"}) == {"name": "x", **DEFAULTS}


@pytest.mark.parametrize(
    ("name", "given", "bound"),
    [
        ("count", "2", 2),
        ("count", 2.0, 2),
        ("count", True, 1),
        ("flag", "false", False),
        ("flag", "Yes", True),
        ("flag", 1, True),
        ("rows", '[1, "a"]', [1, "a"]),
        ("members", '{"a": "int"}', {"a": "int"}),
        ("size", None, None),
        ("size", "4", 4),
        ("bytes", "90 90", "90 90"),
        ("bytes", [144, "144"], [144, 144]),
    ],
)
def test_a_near_miss_is_coerced(name, given, bound):
    """Text stands for numbers, booleans, lists and objects where the schema wants those."""
    assert bind(SCHEMA, {"name": "x", name: given})[name] == bound


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("name", 1, "string"),
        ("name", None, "string"),
        ("count", "two", "integer"),
        ("count", 2.5, "integer"),
        ("count", None, "integer"),
        ("flag", "perhaps", "boolean"),
        ("flag", 2, "boolean"),
        ("rows", "[1", "list"),
        ("rows", "[" * 100_000, "list"),
        ("rows", "{}", "list"),
        ("members", [], "dict"),
        ("size", "big", "null"),
        ("bytes", 1, "list"),
    ],
)
def test_a_misfit_is_an_error_that_names_the_argument(name, given, wanted):
    """What can't be taken for the type wanted is refused, with the argument's name and the type."""
    with pytest.raises(ToolError, match=f"(?s)exampleArguments\n{name}\n.*{wanted}"):
        bind(SCHEMA, {"name": "x", name: given})


def test_all_problems_are_told_at_once():
    """One refusal lists every argument that is wrong."""
    with pytest.raises(ToolError) as refusal:
        bind(SCHEMA, {"count": "two"})
    assert str(refusal.value).splitlines() == [
        "2 validation errors for exampleArguments",
        "name",
        "  Field required",
        "count",
        "  Input should be a valid integer",
    ]
