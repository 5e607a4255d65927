"""Documents are laid out for people, and mean to machines what they should."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog.layout import WIDTH, as_json, as_yaml

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=20), inner, max_size=8),
    max_leaves=30,
)


@given(VALUES, st.integers(0, 40))
def test_json_reads_back(value, indent):
    """However it is broken into lines, the value is the same."""
    text = as_json(value, indent)
    assert json.loads(text) == value
    assert text.isascii()


@given(VALUES.filter(lambda value: "\x85" not in repr(value)))
def test_yaml_reads_back(value):
    """A YAML parser reads the same, beyond 16 bits too."""
    text = f"a: {as_yaml(value, 2, used=3)}"
    assert yaml.load(text, yaml.CSafeLoader) == {"a": value}


@pytest.mark.parametrize("text", ["😀", "\\ud83d\\ude00", "\\😀", "\u2028"])
def test_yaml_escapes(text):
    """Characters beyond 16 bits get YAML's own escape, and what only looks like an escape stays as it is."""
    assert yaml.safe_load(as_yaml(text)) == text


def test_a_line_that_fits_is_one_line():
    """Only what is too long is broken up, one member a line."""
    short = {"a": [1, 2, {"b": "c"}]}
    assert as_json(short) == '{"a": [1, 2, {"b": "c"}]}'
    long = {"a": ["x" * 60, "y" * 60], "b": 1}
    assert as_json(long).splitlines() == [
        "{",
        '  "a": [',
        f'    "{"x" * 60}",',
        f'    "{"y" * 60}"',
        "  ],",
        '  "b": 1',
        "}",
    ]
    assert max(map(len, as_json({"a": [long] * 3}).splitlines())) <= WIDTH
