"""Paths into arguments: how they are written, and what they lead to."""

import re
from typing import Any

import pytest

from gateway import fastpath
from gateway.policy.paths import ArgumentPath, Misfit, find_misfit, parse_path, value_at

EACH = fastpath.EACH


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("args.action", ("action",)),
        ("args.a.b", ("a", "b")),
        (r"args.a\.b", ("a.b",)),
        (r"args.a\\.b", ("a\\", "b")),
        (r"args.a\[0]", ("a[0]",)),
        (r"args.\*.b*", ("*", "b*")),
        ("args.a]", ("a]",)),
        ("args.args", ("args",)),
        ("args. ", (" ",)),
        ("args.a\n.b", ("a\n", "b")),
        ("args.a[0]", ("a", 0)),
        ("args.a[12].b", ("a", 12, "b")),
        ("args.a[*].b[*][0]", ("a", EACH, "b", EACH, 0)),
        ("args.length(x)", ("length(x)",)),
    ],
)
def test_dots_and_brackets_make_steps_and_a_backslash_escapes(text: str, steps: tuple[object, ...]):
    """A path is the steps that lead to the argument; round it, `length()` asks for a length."""
    assert parse_path(text) == ArgumentPath(steps)  # type: ignore[arg-type]
    assert parse_path(f"length({text})") == ArgumentPath(steps, of_length=True)  # type: ignore[arg-type]
    assert parse_path(text).has_each is (EACH in steps)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("action", "must start with `args.`, as in `args.action`"),
        ("args", "must start with `args.`"),
        ("args[0]", "must start with `args.`"),
        ("", "must start with `args.`"),
        ("length(a)", "the path `length(a)` must start with `args.`"),
        ("length(args.a", "must start with `args.`"),
        ("args.", "has an empty step"),
        ("args..a", "has an empty step"),
        ("args.a.", "has an empty step"),
        ("args.a.[0]", "has an empty step"),
        ("args.*", "has `.*`; write `[*]` for each element"),
        ("length(args.a.*.b)", "has `.*`"),
        ("args.a\\", "ends in a backslash"),
        ("args.a[", "has a bad index"),
        ("args.a[]", "has a bad index"),
        ("args.a[-1]", "has a bad index"),
        ("args.a[01]", "has a bad index"),
        ("args.a[x]", r"write `[0]`, `[*]`, or `\[` for a key that holds a ["),
        ("args.a[9999999999]", "has a bad index"),
        ("args.a[0]b", "goes on right after an index"),
    ],
)
def test_what_is_not_a_path_is_refused(text: str, message: str):
    """The error says what a path looks like."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_path(text)


ARGUMENTS: dict[str, Any] = {"a": {"b": [1, {"c": "x"}, None]}, "n": None, "s": "text", "i": 5}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("args.s", "text"),
        ("args.a.b[0]", 1),
        ("args.a.b[1].c", "x"),
        ("args.a.b[7]", None),
        ("args.n.x[0]", None),
        ("args.missing", None),
        ("args.missing[*].x", None),
        ("args.a.b[*]", [1, {"c": "x"}, None]),
        ("length(args.s)", 4),
        ("length(args.a.b)", 3),
        ("length(args.a)", 1),
        ("length(args.n)", None),
    ],
)
def test_a_value_is_found_by_its_path(text: str, value: object):
    """None where it is missing or null, a list of values where the path says `[*]`."""
    assert value_at(ARGUMENTS, parse_path(text)) == value


@pytest.mark.parametrize(
    "text", ["args.s.x", "args.a[0]", "args.a.b.c", "args.s[*]", "args.a.b[*].c", "length(args.i)"]
)
def test_a_path_that_is_blocked_has_no_value(text: str):
    """What is no container has no members, and a number no length; that is not the same as missing."""
    with pytest.raises(LookupError):
        value_at(ARGUMENTS, parse_path(text))


def is_number(value: object) -> bool:
    """Stands for a condition that cannot compare numbers."""
    return isinstance(value, int)


@pytest.mark.parametrize(
    ("text", "misfit"),
    [
        ("args.s", None),
        ("args.n", None),
        ("args.i", Misfit("args.i", 5, None)),
        ("args.s.x.y", Misfit("args.s", "text", "an object")),
        ("args.a[0]", Misfit("args.a", {"b": [1, {"c": "x"}, None]}, "an array")),
        ("args.a.b[*]", Misfit("args.a.b[0]", 1, None)),
        ("args.a.b[*].c", Misfit("args.a.b[0]", 1, "an object")),
        ("args.a.b[2].c", None),
        ("args.a.b[9].c", None),
    ],
)
def test_the_first_misfit_is_named_by_its_place(text: str, misfit: Misfit | None):
    """With the numbers of elements in place of `[*]`."""
    assert find_misfit(ARGUMENTS, parse_path(text), is_number) == misfit


def test_a_misfit_under_a_key_with_dots_is_named_as_it_would_be_written():
    """Its place is a path again."""
    found = find_misfit({"a.b": {"[": 1}}, parse_path(r"args.a\.b.\["), is_number)
    assert found == Misfit(r"args.a\.b.\[", 1, None)
    assert parse_path(found.place).steps == ("a.b", "[")
