"""The canonical text: what means the same has one, and whatever differs has another."""

import json
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.mcp.canonical import canonical_json

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0.0, -0.0, 2.0**53, 2**53 + 1, 2.0**63, 2**63, 2.0**64, 1e300, 0.1, 1, 1.0]),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abé\u202e", max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('{"b":1,"a":{"d":2,"c":3}}', '{ "a" : {"c":3, "d":2}, "b":1 }'),
        ("[1]", "[1.0]"),
        ("[100]", "[1e2]"),
        ("[0]", "[-0.0]"),
        ("[1.5]", "[15e-1]"),
        (r'["\u0061"]', '["a"]'),
        ("[9007199254740992]", "[9007199254740992.0]"),
    ],
)
def test_what_means_the_same_has_one_text(one: str, other: str):
    """The order of keys, the form of numbers and escapes do not matter."""
    assert canonical_json(orjson.loads(one)) == canonical_json(orjson.loads(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[1]", "[2]"),
        ("[1]", '["1"]'),
        ("[1]", "[true]"),
        ("[0]", "[false]"),
        ("[0]", "[null]"),
        ("[[]]", "[{}]"),
        ("{}", '{"a":null}'),
        ('["a"]', '["a "]'),
        ('["a"]', '["\u0430"]'),
        ('["é"]', '["e\u0301"]'),
        ('["a"]', '["a\u200b"]'),
        ("[1,2]", "[2,1]"),
        ("[9007199254740993]", "[9007199254740992.0]"),
        ("[18446744073709551615]", "[18446744073709551616.0]"),
        ("[0.1]", "[0.10000000000000002]"),
    ],
)
def test_whatever_differs_has_another_text(one: str, other: str):
    """One changed byte that means something is another call; nothing is rounded, folded or trimmed."""
    assert canonical_json(orjson.loads(one)) != canonical_json(orjson.loads(other))


@settings(max_examples=150)
@given(VALUES)
def test_the_text_is_the_value(value: Any):
    """Read again, the text is equal to what it was made from, and canonical already."""
    text = canonical_json(value)
    assert json.loads(text) == value
    assert canonical_json(orjson.loads(text)) == text


@settings(max_examples=150)
@given(VALUES, VALUES)
def test_two_values_share_a_text_only_if_they_are_equal(one: Any, other: Any):
    """Equal texts come from equal values."""
    if canonical_json(one) == canonical_json(other):
        assert one == other
