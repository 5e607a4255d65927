"""Whatever a server sends as a definition is read, within bounds, and what cannot be read is marked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog import definition as under_test
from gateway.catalog.definition import Hints, read_definition
from tests.catalog.definitions import definition

ACTION = {"enum": ["get", "remove"]}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "properties", "items", "anyOf", "$ref", "enum", "required", "maxItems", "a"]),
            inner | st.sampled_from(["array", "object", "#", "#/properties/a"]),
            max_size=4,
        )
    ),
    max_leaves=20,
)


def schema_of(argument: Any, **root: Any) -> Any:
    """The one argument of a tool with this schema for it."""
    listed = {"name": "t", "inputSchema": {"type": "object", "properties": {"x": argument}, **root}}
    return read_definition(listed).arguments[0]


@given(description=JSON, annotations=JSON, schema=JSON)
def test_reading_never_fails(description, annotations, schema):
    """A hostile definition is a definition all the same."""
    listed = {"name": "t", "description": description, "annotations": annotations, "inputSchema": schema}
    assert read_definition(listed).name == "t"


def test_the_parts_of_an_ordinary_definition():
    """Name, description, hints and arguments are told as the server told them."""
    read = definition("t", description="D", hints={"readOnlyHint": True, "destructiveHint": None}, a="string")
    assert (read.name, read.description, read.hints) == ("t", "D", Hints(read_only=True))
    assert [(a.path, a.types, a.is_required, a.is_unbounded) for a in read.arguments] == [
        ("args.a", frozenset({"string"}), False, False)
    ]


@pytest.mark.parametrize(
    ("schema", "values"),
    [
        (ACTION, ("get", "remove")),
        ({"anyOf": [ACTION, {"type": "null"}]}, ("get", "remove")),
        ({"oneOf": [{"const": "get"}, {"const": "remove"}]}, ("get", "remove")),
        ({"$ref": "#/$defs/Action"}, ("get", "remove")),
        ({"anyOf": [ACTION, {"type": "string"}]}, ()),
        ({"type": "string"}, ()),
        ({"enum": [1, True]}, (1, True)),
    ],
)
def test_the_closed_set_of_an_argument(schema, values):
    """Enumerations are found wherever they stand; where any text will do there is none."""
    argument = schema_of(schema, **{"$defs": {"Action": ACTION}})
    assert [*map(repr, argument.values)] == [*map(repr, values)]


def test_variants_of_the_whole_are_put_together():
    """A union of objects has the actions of all of them."""
    variants = [{"properties": {"action": {"const": action}}} for action in ("get", "drop")]
    read = read_definition({"name": "t", "inputSchema": {"type": "object", "oneOf": variants}})
    assert [(argument.path, argument.values) for argument in read.arguments] == [("args.action", ("get", "drop"))]


@pytest.mark.parametrize(
    ("schema", "is_unbounded"),
    [
        ({"type": "array"}, True),
        ({"type": "array", "maxItems": 100}, False),
        ({"type": "array", "maxItems": 101}, True),
        ({"type": ["array", "null"]}, True),
        ({"anyOf": [{"type": "string"}, {"type": "array"}]}, True),
        ({"type": "object"}, True),
        ({"type": "object", "additionalProperties": False}, False),
        ({"type": "object", "properties": {"a": {}}}, False),
        ({"type": "object", "maxProperties": 5}, False),
        ({"type": "string"}, False),
    ],
)
def test_what_may_be_filled_without_bound(schema, is_unbounded):
    """Lists, and objects with members of any name, unless the schema bounds them in earnest."""
    assert schema_of(schema).is_unbounded is is_unbounded


def test_members_at_any_depth_have_their_paths():
    """Objects are walked into by dots, lists by `[*]`, and what has a meaning in a path is escaped."""
    batch = {"properties": {"items": {"type": "array", "items": {"properties": {"a.b": {"type": "string"}}}}}}
    read = definition("t", batch=batch)
    assert [argument.path for argument in read.arguments] == [
        "args.batch",
        "args.batch.items",
        r"args.batch.items[*].a\.b",
    ]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        {"properties": {"a": {"$ref": "https://evil.example/schema"}}},
        {"properties": {"a": {"$ref": "#/$defs/missing"}}},
        {"properties": {"a": {"$ref": "#"}}},
        {"properties": {"": {}}},
        {"properties": {"a": 5}},
    ],
    ids=str,
)
def test_what_cannot_be_read_whole_is_marked(schema):
    """A schema that is not there, endless, or refers elsewhere is not taken for the whole truth."""
    assert not read_definition({"name": "t", "inputSchema": schema}).is_whole


def test_a_huge_schema_is_not_read_to_its_end():
    """Reading stops at a bound, and says that it did."""
    leaf: dict[str, Any] = {"type": "string"}
    properties = {f"a{number}": leaf for number in range(under_test.MAX_SCHEMAS + 1)}
    assert not read_definition({"name": "t", "inputSchema": {"properties": properties}}).is_whole
    fork: dict[str, Any] = {"type": "string"}
    for _ in range(40):
        fork = {"anyOf": [fork, fork]}
    assert not definition("t", a=fork).is_whole


def test_a_schema_that_takes_anything_is_whole():
    """`true` is a schema like any other."""
    assert schema_of(True).types == frozenset()
    assert definition("t", a=True).is_whole
