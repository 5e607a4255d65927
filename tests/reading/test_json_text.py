"""Strict JSON: what is read, what is refused, and where."""

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.reading.json_text import read_json
from gateway.reading.outcome import MAX_DEPTH, UnreadableError

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
@settings(max_examples=80)
def test_reads_back_whatever_is_written(value, ascii_only, indent):
    """Any value written as JSON is read as that value."""
    assert read_json(json.dumps(value, ensure_ascii=ascii_only, indent=indent)).value == value


@given(st.text(alphabet='{}[]",:\\ \n\t0123456789.-+eEtrufalsn"d', max_size=24))
@settings(max_examples=300)
def test_accepts_nothing_that_another_parser_reads_differently(text):
    """What is accepted is valid JSON, and orjson reads the same value from it."""
    try:
        value = read_json(text).value
    except UnreadableError:
        return
    assert repr(value) == repr(orjson.loads(text))


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ('{"a": 1, "a": 2}', 9, "written twice"),
        ('{"a": 1, "\\u0061": 2}', 9, "written twice"),
        ('{"x": {"a": 1, "a": 2}}', 15, "written twice"),
        ('{"a": NaN}', 6, "`NaN` is not a JSON value"),
        ('{"a": -Infinity}', 6, "not a JSON value"),
        ('{"a": 1e999}', 6, "too large"),
        ('{"a": 18446744073709551616}', 6, "64 bits"),
        ('{"a": 01}', 6, "not a JSON value"),
        ('{"a": +1}', 6, "not a JSON value"),
        ('{"a": .5}', 6, "not a JSON value"),
        ('{"a": 0x1f}', 6, "not a JSON value"),
        ('{"a": True}', 6, "not a JSON value"),
        ('{"a": 1} {}', 9, "after the end"),
        ("{} // note", 3, "after the end"),
        ('{"a": 1,}', 7, "remove this comma"),
        ("[1,]", 2, "remove this comma"),
        ("[1 2]", 3, "expected `,`"),
        ('{"a": 1', 7, "found the end of the text"),
        ('{"a" 1}', 5, "expected `:`"),
        ("{a: 1}", 1, "in double quotes"),
        ("{'a': 1}", 1, "in double quotes"),
        ('{"a": }', 6, "expected a value, found `}`"),
        ('{"a":', 5, "found the end of the text"),
        ('["a\nb"]', 1, "not closed"),
        ('["a', 1, "not closed"),
        ('["\\x41"]', 1, "unknown escape"),
        ('["\\ud800"]', 1, "surrogate"),
        ("[" * (MAX_DEPTH + 1), MAX_DEPTH, "levels deep"),
        ('{"a":' * 5000, 5 * MAX_DEPTH, "levels deep"),
    ],
)
def test_refuses_and_points_at(text, offset, message):
    """What is not strict JSON is refused at the character that is wrong, with the mend."""
    with pytest.raises(UnreadableError, match=message) as refused:
        read_json(text)
    assert refused.value.offset == offset


def test_a_pair_of_surrogates_is_one_character():
    """Both halves together are read as the character they stand for."""
    assert read_json('"\\ud83d\\ude00"').value == "\U0001f600"


def test_the_deepest_document_allowed_is_read():
    """Exactly the bound on depth passes."""
    assert read_json("[" * MAX_DEPTH + "]" * MAX_DEPTH).value


def test_remembers_where_members_and_elements_begin():
    """A member's place is its name, an element's its first character."""
    offsets = read_json('{"a": [10, {"b": 1}]}').offsets
    assert offsets == {("a",): 1, ("a", 0): 7, ("a", 1): 11, ("a", 1, "b"): 12}
