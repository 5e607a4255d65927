"""Every fault of a value against a type, in words."""

from typing import Annotated, Literal

import msgspec
import pytest
from msgspec import UNSET, Meta, UnsetType

from gateway.reading.shapes import faults, nearest, sound_fields


class Inner(msgspec.Struct, frozen=True):
    """A part with bounds."""

    size: Annotated[int, Meta(ge=1, le=10)]
    kind: Literal["allow", "deny"] = "allow"


class Outer(msgspec.Struct, frozen=True, rename={"type_": "type"}):
    """A whole with every nesting that documents use."""

    type_: str
    one: Inner | None = None
    perhaps: Inner | UnsetType = UNSET
    many: tuple[Inner, ...] = ()
    listed: Annotated[list[Inner], Meta(max_length=2)] = []
    named: dict[str, Inner] = {}
    ratio: float | str = 1.0
    flag: bool = False

    def __post_init__(self) -> None:
        if self.type_ == "never":
            raise ValueError("this type is not used any more")


def test_a_value_that_fits_has_no_faults():
    """Nothing is said about a value that msgspec would convert."""
    value = {"type": "x", "one": None, "many": [{"size": 1}], "named": {"a": {"size": 2}}, "ratio": 2}
    assert list(faults(value, Outer)) == []


def test_all_faults_are_found_at_once():
    """One pass reports every mistake, wherever it is nested."""
    value = {
        "tipe": "x",
        "one": {"size": 0},
        "perhaps": {"size": 11},
        "many": [{"size": 1}, {"size": "2"}],
        "listed": [{"sise": 3}],
        "named": {"a": {"size": 2, "kind": "alow"}},
    }
    assert list(faults(value, Outer)) == [
        (("tipe",), "unknown field; did you mean `type`?"),
        (("one", "size"), "expected a whole number >= 1"),
        (("perhaps", "size"), "expected a whole number <= 10"),
        (("many", 1, "size"), "expected a whole number, got text; write it without quotes"),
        (("listed", 0, "sise"), "unknown field; did you mean `size`?"),
        (("listed", 0), "the field `size` is missing"),
        (("named", "a", "kind"), "unknown value; did you mean `allow`?"),
        ((), "the field `type` is missing"),
    ]


@pytest.mark.parametrize(
    ("value", "annotation", "message"),
    [
        (1, str, "expected text, got a whole number; put it in quotes"),
        (True, str, "expected text, got true or false; put it in quotes"),
        (1.5, int, "expected a whole number, got a decimal number"),
        (True, int, "expected a whole number, got true or false"),
        ("true", bool, "expected true or false, got text; write it without quotes"),
        ([], Inner, "expected a mapping, got a list"),
        ({}, list[int], "expected a list, got a mapping"),
        (None, Inner, "expected a mapping, got nothing"),
        (None, float | str, "expected a number or text, got nothing"),
        ([{"size": 1}] * 3, Annotated[list[Inner], Meta(max_length=2)], "expected a list of length <= 2"),
        ("x", Literal["allow", "deny"], "unknown value; known here: allow, deny"),
        ({"type": "never"}, Outer, "this type is not used any more"),
    ],
)
def test_a_fault_is_told_in_the_words_of_a_document(value, annotation, message):
    """Messages name what a person writes, not the types of a program."""
    assert list(faults(value, annotation)) == [((), message)]


def test_the_names_of_a_mapping_are_judged_too():
    """Bounds on keys are faults at the key."""
    annotation = dict[Annotated[str, Meta(max_length=2)], int]
    assert list(faults({"abc": 1}, annotation)) == [(("abc",), "expected text of length <= 2")]


def test_sound_fields_are_those_that_one_can_rely_on():
    """What is wrong, or missing without a default, is left out; the rest is converted, or has its default."""
    assert sound_fields({"one": {"size": 0}, "many": [{"size": 1}], "ratio": True, "x": 1}, Outer) == {
        "perhaps": UNSET,
        "many": (Inner(1),),
        "listed": [],
        "named": {},
        "flag": False,
    }


def test_nearest_names_the_closest_or_all():
    """A near miss gets one suggestion, anything else the whole choice, no choice nothing."""
    assert nearest("binasist", ["binassist", "other"]) == "; did you mean `binassist`?"
    assert nearest("x", ["b", "a"]) == "; known here: a, b"
    assert nearest("x", []) == ""
