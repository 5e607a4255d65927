"""Regular expressions: linear time, one syntax, and errors that name the mistake."""

import re
import time

import pytest

from gateway.policy.patterns import compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("^safe$", "safe", True),
        ("^safe$", "safe\n", False),
        ("^safe$", "un\nsafe", False),
        ("b", "abc", True),
        ("^[a-z]{3}$", "abcd", False),
        (r"\.(exe|dll)$", "a.dll", True),
        ("(?i)^ABC$", "abc", True),
    ],
)
def test_a_pattern_is_searched_for(pattern: str, text: str, found: bool):
    """Matching is unanchored, and `$` is the very end of the text."""
    assert compile_pattern(pattern).is_valid(text) is found


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"^\w$", "_", True),
        (r"^\w$", "é", False),
        (r"^\W$", "é", True),
        (r"^\d$", "7", True),
        (r"^\d$", "٣", False),
        (r"\bb", "éb", False),
        (r"\bb", "-b", True),
        (r"^\s$", "\u2003", True),
        (r"^\s$", "\u00a0", True),
        (r"^\S$", "\u2003", False),
        (r"^.$", "é", True),
        (r"^\p{L}$", "é", True),
        (r"(?i)^É$", "é", True),
    ],
)
def test_letters_and_digits_are_ascii_and_spaces_are_not(pattern: str, text: str, found: bool):
    r"""`\w` and `\d` know ASCII alone, as in ECMA-262; `\s`, `\b`, `(?i)` and `\p{…}` know all of Unicode."""
    assert compile_pattern(pattern).is_valid(text) is found


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a*)*b", "(a|a)*c", "^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_matching_takes_linear_time(pattern: str):
    """Patterns that take a backtracking engine for ever are done with 100 KB within 50 ms."""
    compiled = compile_pattern(pattern)
    text = "a" * 100_000 + "!"
    start = time.process_time()
    compiled.is_valid(text)
    assert time.process_time() - start < 0.05


@pytest.mark.parametrize(
    ("pattern", "mistake"),
    [
        ("a(b", "a `(` is never closed"),
        ("a)b", "a `)` closes nothing"),
        ("[a-z", "a `[` is never closed"),
        ("*a", "it starts with a repetition that has nothing to repeat"),
        ("a\\", "it ends in a single backslash"),
        (r"\Z", "an unknown escape"),
        ("a{2,1}", "a bad or huge repetition"),
        ("(?=a)b", "look-around or a back-reference"),
        (r"(a)\1", "look-around or a back-reference"),
        ("a{10000}", "too large once compiled"),
        ("[^/]{300}", "too large once compiled"),
    ],
)
def test_what_the_engine_lacks_is_named(pattern: str, mistake: str):
    """A pattern that does not compile is refused with what is wrong with it."""
    with pytest.raises(ValueError, match=re.escape(mistake)):
        compile_pattern(pattern)
