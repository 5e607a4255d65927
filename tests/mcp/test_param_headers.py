"""Arguments as headers: what a schema asks for, and how a value is written."""

import pytest

from gateway.mcp import param_headers


def annotated(name: object) -> dict[str, object]:
    """The schema of an argument that is to be a header."""
    return {"type": "string", "x-mcp-header": name}


def test_the_properties_that_ask_for_a_header_are_found_at_every_level():
    """By their path; other keywords of the schema lead nowhere."""
    schema = {
        "properties": {
            "region": annotated("Region"),
            "where": {"properties": {"zone": annotated("Zone")}},
            "plain": {"type": "string"},
            "list": {"items": {"properties": {"a": annotated("Item")}}},
            "odd": True,
        },
        "anyOf": [{"properties": {"b": annotated("B")}}],
    }
    assert param_headers.declared(schema) == {("region",): "Mcp-Param-Region", ("where", "zone"): "Mcp-Param-Zone"}


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\r\nX", "é", "x" * 200, None, 1, ["a"]])
def test_what_is_no_name_of_a_header_never_becomes_one(name: object):
    """A server cannot write into our requests by way of a schema."""
    assert param_headers.declared({"properties": {"a": annotated(name)}}) == {}


@pytest.mark.parametrize("schema", [{}, {"properties": []}, {"properties": None}])
def test_a_schema_without_properties_asks_for_nothing(schema: dict[str, object]):
    """Whatever stands there instead."""
    assert param_headers.declared(schema) == {}


def test_a_schema_is_not_followed_for_ever():
    """Deeper than any real one, the rest is left out."""
    schema: dict[str, object] = annotated("Deep")
    for _ in range(100):
        schema = {"properties": {"a": schema}}
    assert param_headers.declared(schema) == {}


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("eu", "eu"), ("", ""), ("a b", "a b"), (True, "true"), (False, "false"), (0, "0"), (-7, "-7"),
        (" a", "=?base64?IGE=?="), ("é", "=?base64?w6k=?="), ("a\r\nX: y", "=?base64?YQ0KWDogeQ==?="),
    ],
)  # fmt: skip
def test_a_scalar_is_written_as_the_server_reads_it(value: object, written: str):
    """Whatever could not stand in a header is encoded."""
    assert param_headers.of({("a",): "Mcp-Param-A"}, {"a": value}) == [("Mcp-Param-A", written)]


@pytest.mark.parametrize("arguments", [{}, {"a": None}, {"a": 1.5}, {"a": []}, {"a": {}}, {"a": {"b": None}}])
def test_what_is_absent_or_no_scalar_has_no_header(arguments: dict[str, object]):
    """As agents over HTTP leave it out."""
    assert param_headers.of({("a",): "Mcp-Param-A", ("a", "b"): "Mcp-Param-B"}, arguments) == []
