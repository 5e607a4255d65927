"""TOML as plain data: only what JSON could hold comes out."""

import pytest

from gateway.reading.outcome import UnreadableError
from gateway.reading.toml_text import read_toml


def test_tables_become_plain_data():
    """Tables, arrays and scalars are read as the values JSON has."""
    assert read_toml('a = [1, 2.5, true]\n[b.c]\nd = "x"\n').value == {
        "a": [1, 2.5, True],
        "b": {"c": {"d": "x"}},
    }


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("2027-06-30T00:00:00Z", "2027-06-30T00:00:00+00:00"),
        ("2027-06-30T00:00:00", "2027-06-30T00:00:00"),
        ("2027-06-30", "2027-06-30"),
        ("07:32:00", "07:32:00"),
    ],
)
def test_a_time_becomes_text(written, text):
    """Times become text and keep their offset, or its absence."""
    assert read_toml(f"a = {written}").value == {"a": text}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = 1\na = 2", "not valid TOML"),
        ("a = ", "not valid TOML"),
        ("a = nan", "infinity and nan"),
        ("a = -inf", "infinity and nan"),
        ("a = 18446744073709551616", "64 bits"),
        ("a = " + "[" * 5000, "levels deep"),
        (".".join("a" * 100) + " = 1", "levels deep"),
    ],
)
def test_refuses(text, message):
    """What is malformed, or has no equal in JSON, is refused with the mend."""
    with pytest.raises(UnreadableError, match=message):
        read_toml(text)


def test_a_fault_in_the_data_has_a_path():
    """Where the text has no places, the path says where."""
    with pytest.raises(UnreadableError) as refused:
        read_toml("[a]\nb = [0, inf]")
    assert refused.value.path == ("a", "b", 1)
