"""Columns line up, and colours appear where somebody looks."""

import io

import pytest

from gateway.cli.terminal import Paint, columns


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


@pytest.fixture(autouse=True)
def colours_wanted(monkeypatch):
    """Whatever the environment of the tests says about colours does not count."""
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_columns_line_up_and_hide_nothing():
    """Each column is as wide as its widest entry; what would move the cursor is spelled out."""
    rows = [("a", "bbb", "c"), ("aa\x1b[2J", "b", "c c")]
    assert columns(rows, [None, "High"], Paint(io.StringIO())) == "a            bbb  c\naa\\u{1b}[2J  b    c c"


def test_a_terminal_gets_colours():
    """The style of a row colours it from its second column to the last but one."""
    assert columns([("a", "b", "c")], ["High"], Paint(Terminal())) == "a  \x1b[31mb\x1b[0m  c"
    assert Paint(Terminal())("x", "bold") == "\x1b[1mx\x1b[0m"


def test_nobody_else_gets_colours(monkeypatch):
    """Neither a file nor a person who set NO_COLOR."""
    assert Paint(io.StringIO())("x", "bold") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Paint(Terminal())("x", "bold") == "x"
