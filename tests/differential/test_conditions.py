"""Both cores judge random arguments alike, and operators relate to each other as they should."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.cores import COMPILED, PLAIN

KEYS = st.sampled_from(["a", "b", "é", ""])
# Few values, many of them nearly equal, so that comparisons come out both ways.
NUMBERS = st.sampled_from([0, 1, -1, 1.0, -0.0, 0.5, 2**53, 2**53 + 1, float(2**53), 2**64 - 1, float(2**64)])
SCALARS = st.none() | st.booleans() | NUMBERS | st.sampled_from(["", "a", "ab", "1", "true", "é", "e\u0301"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
PATHS = st.lists(KEYS | st.sampled_from([COMPILED.EACH, COMPILED.EACH, 0, 1]), max_size=4).map(tuple)


class Prefix:
    """A pattern that matches what begins with a text."""

    def __init__(self, text):
        self.text = text

    def is_valid(self, instance):
        return instance.startswith(self.text)


@st.composite
def condition_parts(draw):
    """A path, an operator, a value that fits it, and whether the length is meant."""
    op = draw(st.integers(COMPILED.EQ, COMPILED.CONTAINS))
    if op in (COMPILED.LT, COMPILED.LTE, COMPILED.GT, COMPILED.GTE):
        value = draw(NUMBERS)
    elif op in (COMPILED.IN, COMPILED.NOT_IN):
        value = tuple(draw(st.lists(VALUES, max_size=3)))
    elif op == COMPILED.EXISTS:
        value = draw(st.booleans())
    elif op == COMPILED.REGEX:
        value = Prefix(draw(st.sampled_from(["", "a", "b"])))
    else:
        value = draw(VALUES)
    return draw(PATHS), op, value, draw(st.booleans())


RULES = st.lists(st.lists(condition_parts(), max_size=3), max_size=3)


@given(parts=condition_parts(), arguments=VALUES, every=st.booleans())
def test_both_cores_test_a_condition_alike(parts, arguments, every):
    """Any condition that can be made has one result for any arguments."""
    compiled, plain = (core.Condition(*parts).test(arguments, every) for core in (COMPILED, PLAIN))
    assert compiled == plain


@given(require=RULES, deny_if=RULES, approve_if=RULES, arguments=VALUES)
def test_both_cores_judge_rules_alike(require, deny_if, approve_if, arguments):
    """Any lists of rules refuse or ask by the same rule and the same condition."""
    compiled, plain = (judge(core, require, deny_if, arguments, approve_if) for core in (COMPILED, PLAIN))
    assert compiled == plain


def judge(core, require, deny_if, arguments, approve_if=()):
    require, deny_if, approve_if = (
        tuple(core.Rule(tuple(core.Condition(*parts) for parts in rule)) for rule in rules)
        for rules in (require, deny_if, approve_if)
    )
    words, slots = core.Words(bytearray()), core.Slots(0)
    return core.decide(core.Program(require, deny_if, (), approve_if, ()), arguments, words, slots, 0, 0)


@given(left=VALUES.filter(lambda value: value is not None), right=VALUES)
def test_operators_agree_with_each_other(core, left, right):
    """`eq` is `in` with one member; `neq` and `not_in` are their opposites, save for mistyped arguments."""
    opposite = {core.HOLDS: core.FAILS, core.FAILS: core.HOLDS, core.MISTYPED: core.MISTYPED}

    def test(op, value):
        return core.Condition((), op, value).test(left, True)

    assert test(core.IN, (right,)) == test(core.EQ, right)
    assert test(core.NEQ, right) == opposite[test(core.EQ, right)]
    assert test(core.NOT_IN, (right,)) == opposite[test(core.IN, (right,))]


@given(parts=condition_parts(), elements=st.lists(VALUES, max_size=4))
def test_each_element_is_tested_as_it_would_be_alone(core, parts, elements):
    """Of every element, all must hold and there must be one; of any, one that holds is enough, then a mistyped one."""
    path, *rest = parts
    alone = {every: [core.Condition(path, *rest).test(e, every) for e in elements] for every in (True, False)}
    condition = core.Condition((core.EACH, *path), *rest)
    worst = [result for result in alone[True] if result != core.HOLDS] or [core.HOLDS if elements else core.FAILS]
    assert condition.test(elements, True) == worst[0]
    best = [result for result in (core.HOLDS, core.MISTYPED) if result in alone[False]] or [core.FAILS]
    assert condition.test(elements, False) == best[0]


@given(value=VALUES.filter(lambda value: value is not None))
def test_a_value_equals_its_copy(core, value):
    """A value that went through JSON equals the one that did not, whatever the order of its keys."""
    copy = json.loads(json.dumps(value, sort_keys=True))
    assert core.Condition((), core.EQ, value).test(copy, True) == core.HOLDS


def test_a_pattern_that_fails_fails_the_decision(core):
    """An exception in a pattern comes out of `decide`, whose caller refuses."""

    class Broken:
        def is_valid(self, instance):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        judge(core, [[(("x",), core.REGEX, Broken())]], [], {"x": "text"})


def test_values_nested_beyond_all_measure_raise(core):
    """Comparing them ends in an exception, not in a crash."""
    left, right = nested(100_000), nested(100_000)
    with pytest.raises(RecursionError):
        core.Condition((), core.EQ, left).test(right, False)
    unnest(left)
    unnest(right)


def nested(depth):
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def unnest(value):
    """Take it apart from the outside: freeing it as a whole would recurse."""
    while value:
        value = value.pop()
