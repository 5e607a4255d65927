"""The subset of YAML: plain words mean what JSON means, and nothing is left to dispute."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.reading.outcome import MAX_DEPTH, UnreadableError
from gateway.reading.yaml_text import read_yaml

TEXTS = st.text(st.characters(categories=["L", "N", "P"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=10,
)


@given(VALUES)
@settings(max_examples=80)
def test_json_is_read_as_json(value):
    """A document written as JSON means the same when it is read as YAML."""
    assert read_yaml(json.dumps(value, ensure_ascii=False)).value == value


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("true", True),
        ("false", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("10", 10),
        ("-0.5", -0.5),
        ("1e3", 1000.0),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("12:30:45", "12:30:45"),
        ("127.0.0.1:8080", "127.0.0.1:8080"),
        ("2027-06-30", "2027-06-30"),
        ("2027-06-30T00:00:00Z", "2027-06-30T00:00:00Z"),
        ("120s", "120s"),
        ("args.a-b", "args.a-b"),
        ("'true'", "true"),
        ('"017"', "017"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_a_plain_word_means_what_json_means_by_it(plain, value):
    """Only true and false are booleans, only decimals are numbers; dates and times are text."""
    read = read_yaml(f"a: {plain}").value["a"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    "plain",
    [
        *("017", "0o17", "0x1F", "0b11", "1_000", "+1", "1.", ".5", "00", ".inf", "-.INF", ".nan"),
        *("True", "FALSE", "Null", "1e999", "18446744073709551616"),
    ],
)
def test_a_disputed_word_is_refused(plain):
    """What YAML parsers read as different values is refused, never guessed."""
    with pytest.raises(UnreadableError):
        read_yaml(f"a: {plain}")


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", 10, "written twice"),
        ('a: 1\n"a": 3\n', 5, "written twice"),
        ("a: {b: 1, b: 2}", 10, "written twice"),
        ("a: &x 1", 3, "anchor"),
        ("a: *x", 3, "alias"),
        ("a: !!python/object:os.system 1", 3, "tags"),
        ("a: ! x", 3, "tags"),
        ("? [1]\n: 2", 2, "field name must be text"),
        ("1: x", 0, "`1` is not text"),
        ("true: x", 0, "`true` is not text"),
        ("null: x", 0, "`null` is not text"),
        ("<<: {a: 1}", 0, "merge keys"),
        ("a: 1\n---\nb: 2\n", 5, "second document"),
        ("a:\n\t- 1", 3, "not valid YAML"),
        ("a: [1", 5, "not valid YAML"),
        ("a: \x00", 3, "this character is not allowed"),
        ('a: "\\ud800"', 3, "surrogate"),
        ("[" * 5000, MAX_DEPTH, "levels deep"),
    ],
)
def test_refuses_and_points_at(text, offset, message):
    """What is malformed or outside the subset is refused where it stands, with the mend."""
    with pytest.raises(UnreadableError, match=message) as refused:
        read_yaml(text)
    assert refused.value.offset == offset


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor():
    """Nested aliases are never expanded."""
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"
    with pytest.raises(UnreadableError, match="anchor"):
        read_yaml(bomb)


def test_remembers_where_members_and_elements_begin():
    """A member's place is its name, an element's its first character."""
    offsets = read_yaml("a:\n  - 10\n  - b: 1\n").offsets
    assert offsets == {("a",): 0, ("a", 0): 7, ("a", 1): 14, ("a", 1, "b"): 14}


def test_comments_alone_are_nothing():
    """A file of comments holds no document."""
    assert read_yaml("# nothing here\n").value is None
