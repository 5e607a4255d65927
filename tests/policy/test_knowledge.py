"""What is known of the arguments of a past call."""

from typing import Any

import pytest

from gateway import fastpath
from gateway.policy.conditions import compile_condition
from gateway.policy.knowledge import ANYTHING, Knowledge, UnknownError
from gateway.policy.model import Condition
from gateway.policy.paths import parse_path, value_at

HOLDS, FAILS, MISTYPED = fastpath.HOLDS, fastpath.FAILS, fastpath.MISTYPED
KEPT: dict[str, object] = {
    "args.a": {"b": [1, 2]},
    "args.n": None,
    "length(args.text)": 5,
    "args.list[*].x": ["u", None],
    "args.deep[1].y": 7,
}
KNOWN = Knowledge(frozenset({"a", "n", "text", "list", "deep", "secret"}), KEPT)


@pytest.mark.parametrize(
    ("path", "op", "value", "result"),
    [
        ("args.a.b[1]", "eq", 2, HOLDS),
        ("args.a.b[*]", "gt", 1, FAILS),
        ("args.a", "eq", 1, MISTYPED),
        ("length(args.a.b)", "eq", 2, HOLDS),
        ("args.n", "exists", False, HOLDS),
        ("args.gone.x", "exists", True, FAILS),
        ("length(args.text)", "gt", 4, HOLDS),
        ("args.list[*].x", "eq", "u", FAILS),
        ("args.deep[1].y", "eq", 7, HOLDS),
    ],
)
def test_a_condition_on_what_was_kept_gives_what_it_gave(path: str, op: Any, value: Any, result: int):
    """Also on a part of it, its length, and on an argument that was not sent."""
    condition = compile_condition(Condition(path, op, value))
    assert KNOWN.results(parse_path(path), condition, every=True) == {result}


@pytest.mark.parametrize(
    "path", ["args.secret", "args.text", "args.deep[0].y", "args.list[0].x", "length(args.secret)"]
)
def test_a_condition_on_what_was_not_kept_may_give_anything(path: str):
    """The length of a text does not tell the text, nor one element another."""
    condition = compile_condition(Condition(path, "eq", 1))
    assert KNOWN.results(parse_path(path), condition, every=True) == ANYTHING
    with pytest.raises(UnknownError) as caught:
        KNOWN.about(parse_path(path))
    assert str(caught.value) == path


def test_without_all_names_an_argument_may_have_been_sent():
    """Where a record has too many of them."""
    condition = compile_condition(Condition("args.gone", "exists", True))
    path = parse_path("args.gone")
    assert Knowledge(None, {}).results(path, condition, every=True) == ANYTHING
    assert Knowledge(frozenset(), {}).results(path, condition, every=True) == {FAILS}


def test_the_arguments_are_known_when_all_were_kept():
    """Or when there were none."""
    assert Knowledge(frozenset({"a", "b"}), {"args.a": 1, "args.b": None}).whole() == {"a": 1, "b": None}
    assert Knowledge(frozenset(), {}).whole() == {}
    for partly in (KNOWN, Knowledge(None, {"args.a": 1})):
        with pytest.raises(UnknownError):
            partly.whole()


def test_what_is_built_leads_to_what_was_kept():
    """By the path that it was kept under."""
    for text, value in KEPT.items():
        path = parse_path(text)
        assert value_at(KNOWN.about(path), path) == value
