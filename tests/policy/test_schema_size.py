"""The size of schemas whose references are written out."""

import re
from typing import Any

import pytest

from gateway.policy.schema_size import MAX_DEPTH, unfolded_size

WORD = {"type": "string"}
PAIR = {"items": [{"$ref": "#/$defs/word"}, {"$ref": "#/$defs/word"}]}


@pytest.mark.parametrize(
    ("schema", "size"),
    [
        ({}, 1),
        ({"properties": {"a": WORD, "b": True}}, 3),
        ({"$defs": {"word": WORD}, "$ref": "#/$defs/word"}, 4),
        ({"$defs": {"word": WORD, "pair": PAIR}, "anyOf": [{"$ref": "#/$defs/pair"}, {"$ref": "#/$defs/pair"}]}, 20),
        ({"allOf": [WORD, {"$ref": "#/allOf/0"}]}, 4),
        (
            {"properties": {"a/b~": WORD, "c": {"$ref": "#/properties/a~1b~0"}, "d": {"$ref": "#/properties/a%2Fb"}}},
            None,
        ),
        ({"properties": {"child": {"$ref": "#"}}}, 7),
        ({"properties": {"$ref": WORD, "$id": WORD}, "$id": "https://example.com/a"}, 4),
    ],
)
def test_a_reference_counts_as_what_it_refers_to(schema: dict[str, Any], size: int | None):
    """Each time that it stands there; where it leads back to itself, once more."""
    if size is None:
        with pytest.raises(ValueError, match="leads nowhere"):
            unfolded_size(schema)
    else:
        assert unfolded_size(schema) == size


def test_doubling_is_counted_without_being_done():
    """Each level doubles what is below it."""
    levels = {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)}
    assert unfolded_size({"$defs": {**levels, "a40": {}}, "$dynamicRef": "#/$defs/a0"}) > 1 << 40


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "#word"}, "no JSON pointer"),
        ({"$ref": "https://example.com/a#/b"}, "no JSON pointer"),
        ({"$defs": {"a": {"$id": "b", "$ref": "#/c"}}, "c": {}}, "has an `$id` of its own"),
        ({"$ref": "#/allOf/1", "allOf": [{}]}, "leads nowhere"),
        ({"$ref": "#/title/x", "title": "t"}, "leads nowhere"),
    ],
)
def test_what_cannot_be_counted_is_refused(schema: dict[str, Any], message: str):
    """References that this module would follow otherwise than the engine does."""
    with pytest.raises(ValueError, match=re.escape(message)):
        unfolded_size(schema)


def test_a_chain_of_references_has_an_end():
    """However short each of its parts is."""
    chain = {f"a{n}": {"$ref": f"#/$defs/a{n + 1}"} for n in range(MAX_DEPTH + 1)}
    with pytest.raises(ValueError, match="nested deeper"):
        unfolded_size({"$ref": "#/$defs/a0", "$defs": {**chain, f"a{MAX_DEPTH + 1}": {}}})
