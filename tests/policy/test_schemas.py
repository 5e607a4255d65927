"""JSON Schemas of a policy and of a server."""

import re
from typing import Any

import pytest

from gateway.policy.schemas import (
    MAX_DESCRIBED,
    NO_SCHEMAS,
    KnownSchemas,
    ServerCheck,
    ToolSchema,
    compile_schema,
    compile_tool_schema,
    failure_of,
)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "objekt"}, "not a JSON Schema at /type"),
        ({"properties": {"a": {"minimum": "x"}}}, "not a JSON Schema at /properties/a/minimum"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "not a JSON Schema at /properties/a/pattern"),
        ({"pattern": "("}, "not a JSON Schema at /pattern"),
        ({"pattern": "(a{999}){999}"}, "not a JSON Schema at /pattern"),
        ({"$ref": "#/$defs/none"}, "not a JSON Schema"),
        ({"$ref": "http://127.0.0.1:9/x"}, "`$ref` to http://127.0.0.1:9/x: schemas are never fetched"),
        ({"properties": {"a": {"$ref": "file:///etc/hostname"}}}, "`$ref` to file:///etc/hostname"),
        ({"$id": "https://example.com/a", "$ref": "b"}, "`$ref` to https://example.com/b"),
    ],
)
def test_what_cannot_be_used_is_refused(schema: dict[str, Any], message: str):
    """The error says where and why; nothing is ever fetched, from the network or the disk."""
    with pytest.raises(ValueError, match=re.escape(message)):
        compile_schema(schema)


def test_every_schema_is_read_as_2020_12():
    """Whatever it says itself: the policy's meaning must not depend on it."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "prefixItems": [{"type": "string"}]}
    assert not compile_schema(schema).is_valid([1])


def test_a_constant_that_looks_like_a_reference_is_a_constant():
    """Only what is a schema refers to anything."""
    assert compile_schema({"const": {"$ref": "http://127.0.0.1:9/x"}}).is_valid({"$ref": "http://127.0.0.1:9/x"})


def test_required_arguments_are_checked_alone():
    """Each of them as the schema has it, references included; the others are not looked at."""
    schema = compile_tool_schema(
        {
            "required": ["a", "b"],
            "properties": {"a": {"$ref": "#/$defs/word"}, "c": {"type": "string"}},
            "additionalProperties": False,
            "$defs": {"word": {"type": "string"}},
        }
    )
    assert schema.required.is_valid({"a": "x", "b": 1, "c": 5, "d": 5})
    assert not schema.whole.is_valid({"a": "x", "b": 1, "c": 5})
    assert not schema.required.is_valid({"a": 5, "b": 1})
    assert not schema.required.is_valid({"a": "x"})


def test_a_check_by_the_server_knows_what_the_server_says_now():
    """Nothing passes while the schema is not known; once it is, it decides."""
    known = KnownSchemas({"t": {"required": ["a"], "properties": {"b": {"type": "string"}}}})
    listed: list[KnownSchemas] = []

    class Server:
        def schema(self, tool: str) -> ToolSchema | None:
            return listed[0].schema(tool) if listed else None

    schemas = Server()
    required, whole = (ServerCheck(schemas, "t", whole=whole) for whole in (False, True))
    assert not required.is_valid({"a": 1})
    assert required.validator is None
    listed.append(known)
    assert required.is_valid({"a": 1, "b": 1})
    assert not whole.is_valid({"a": 1, "b": 1})
    assert not ServerCheck(NO_SCHEMAS, "t", whole=True).is_valid({})


@pytest.mark.parametrize(
    ("schema", "value", "failure"),
    [
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x", 1]}, (("a", 1), "type")),
        ({"required": ["a"]}, {}, ((), "required")),
        ({"properties": {"a": False}}, {"a": 1}, (("a",), "a")),
        ({"not": {}}, {}, ((), "not")),
    ],
)
def test_a_failure_has_a_place_and_a_keyword(schema: dict[str, Any], value: Any, failure: tuple[Any, str]):
    """Of the first thing that is wrong; no value is shown."""
    assert failure_of(compile_schema(schema), value) == failure


@pytest.mark.parametrize("value", [{"a": [1] * MAX_DESCRIBED}, {"a": [{"b": [[], {}, 1]}] * MAX_DESCRIBED}])
def test_in_many_values_no_failure_is_looked_for(value: Any):
    """The engine takes 20 microseconds for each that it collects, and a body holds half a million."""
    schema = compile_schema({"properties": {"a": {"anyOf": [{"type": "string"}, {"items": {"type": "string"}}]}}})
    assert not schema.is_valid(value)
    assert failure_of(schema, value) is None
    assert failure_of(schema, {"a": [1] * 10}) is not None


def test_a_servers_schema_that_unfolds_without_end_is_not_used():
    """References to references would make one look at a call take hours; the same few in a row are harmless."""
    twice = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    with pytest.raises(ValueError, match="with its references written out it has"):
        compile_tool_schema({"$defs": {**twice, "a40": {"type": "string"}}, "$ref": "#/$defs/a0"})
    once = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}]} for n in range(40)}
    assert compile_tool_schema({"$defs": {**once, "a40": {"type": "object"}}, "$ref": "#/$defs/a0"}).whole.is_valid({})
