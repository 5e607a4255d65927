"""Mistakes that the shapes of a document do not show."""

from typing import Any

import pytest

from gateway.policy.checks import find_faults
from tests.support.policies import document


def faults(value: Any) -> list[tuple[str, str]]:
    """The pointer and the message of every problem of a policy."""
    policy = document(value)
    problems = policy.problems(find_faults(policy))
    return [(problem.place.partition(": ")[2], problem.message) for problem in problems]


def with_tool(**rules: Any) -> dict[str, Any]:
    """A policy with these rules for the tool `t`."""
    return {"version": "1", "default": "deny", "tools": {"t": rules}}


def limit(**fields: Any) -> dict[str, Any]:
    """Ten calls a minute on the counter `c`, changed by `fields`."""
    return {"counter": "c", "window": "minute", "max": 10, **fields}


@pytest.mark.parametrize(
    ("policy", "pointer"),
    [
        ({"resources": {}}, "/resources"),
        ({"all_tools": {"require": []}}, "/all_tools/require"),
        (with_tool(rate_limit={}), "/tools/t/rate_limit"),
        (with_tool(action="require_approval"), "/tools/t/action"),
        (with_tool(limits=[limit(scope="session")]), "/tools/t/limits/0/scope"),
        (with_tool(deny_if=[{"conditions": [], "mode": "shadow"}]), "/tools/t/deny_if/0/mode"),
        ({"tools": {"get_*": {}}}, "/tools/get_*"),
    ],
)
def test_what_is_not_built_yet_is_refused(policy: dict[str, Any], pointer: str):
    """A part of the language that this version does not carry out is an error at every level, never ignored."""
    ((place, message),) = faults(policy)
    assert place == pointer
    assert "not supported yet by this version" in message


@pytest.mark.parametrize("rules", [{"reason": "No."}, {"action": "allow", "reason": ""}])
def test_a_reason_that_nobody_would_be_told_is_refused(rules: dict[str, Any]):
    """Only `action: deny` has a reason; elsewhere it would be ignored."""
    ((place, message),) = faults(with_tool(**rules))
    assert place == "/tools/t/reason"
    assert "only `action: deny` has a reason; add it" in message


def test_a_reason_is_fine_where_it_is_told():
    """With `deny` it is, and where the action itself is wrong there is nothing to add."""
    assert faults(with_tool(action="deny", reason="No.")) == faults(with_tool(action="denny", reason="No.")) == []


@pytest.mark.parametrize(
    ("id", "message"),
    [
        ("", "an id has 1 to 64 characters; this one has 0"),
        ("x" * 65, "an id has 1 to 64 characters; this one has 65"),
        ("/tools/x", "an id must not start with `/`: that is how the gateway's own names begin"),
        ("(hidden)", "an id must not start with `(`: that is how the gateway's own names begin"),
    ],
)
def test_an_id_cannot_pass_for_a_name_of_ours(id: str, message: str):
    """Ids are short and begin otherwise than the gateway's own names."""
    assert faults(with_tool(require=[{"conditions": [], "id": id}])) == [("/tools/t/require/0/id", message)]


def test_an_id_is_taken_once_in_a_policy():
    """The error names the rule that has it already, in whatever tool."""
    rule = {"conditions": [], "id": "mine"}
    policy = {"tools": {"a": {"deny_if": [rule]}, "b": {"require": [rule]}}}
    assert faults(policy) == [
        (
            "/tools/b/require/0/id",
            "the id `mine` is taken by policy.json:1:49: /tools/a/deny_if/0/id; choose another",
        )
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"max": 11},
        {"window": "hour"},
        {"algorithm": "fixed_window"},
        {"algorithm": "token_bucket", "burst": 3},
    ],
)
def test_limits_of_one_counter_must_agree(other: dict[str, Any]):
    """A counter is one budget; the error names both limits."""
    policy = {"all_tools": {"limits": [limit(**other)]}, "tools": {"t": {"limits": [limit()]}}}
    ((place, message),) = faults(policy)
    assert place == "/tools/t/limits/0"
    assert "the counter `c` is shared with policy.json:1:" in message
    assert ": /all_tools/limits/0; make both agree on window, max, scope, algorithm and burst" in message


def test_limits_that_say_the_same_in_other_words_agree():
    """What counts is the meaning: 60 seconds are a minute, and a sliding window is what is left out."""
    same = [limit(), limit(window="60s"), limit(window=60.0, algorithm="sliding_window", on_deny="Wait.")]
    assert faults(with_tool(limits=same)) == []


def test_one_broken_part_hides_no_other():
    """A field without its shape is left to the decoder; its neighbours are still checked."""
    policy = with_tool(
        action=["deny"],
        limits=[7, limit(max=0, window="fortnight"), limit(window="never", more=1, burst=[])],
        deny_if=[
            {"conditions": [{"path": 1, "op": "gt", "value": "1"}, {"path": "x", "op": "eql"}], "id": 5, "mode": 1}
        ],
        require="all",
    )
    assert [place for place, _ in faults(policy)] == [
        "/tools/t/limits/1/window",
        "/tools/t/limits/2/window",
        "/tools/t/deny_if/0/conditions/0/value",
        "/tools/t/deny_if/0/conditions/1/path",
        "/tools/t/deny_if/0/mode",
    ]


def test_an_argument_that_looks_like_a_rule_is_none():
    """A value to compare with may be any document, a policy's among them."""
    rule = {"conditions": [{"path": "args.x", "op": "eq", "value": with_tool(limits=[limit(window="never")])}]}
    assert faults(with_tool(deny_if=[rule])) == []


@pytest.mark.parametrize("value", [None, 1, [], {"tools": []}, {"tools": {"t": 1}}, {"all_tools": 1}, {"hide": "x"}])
def test_any_shape_can_be_checked(value: Any):
    """What is not even a policy has no problems here, and raises nothing."""
    assert faults(value) == []


def test_an_empty_name_cannot_be_hidden():
    """It would hide nothing."""
    assert faults({"hide": ["a", ""]}) == [
        ("/hide/1", "an empty name hides nothing; write a tool's name, or `*` for all")
    ]


def test_rules_that_can_never_matter_are_accepted():
    """A hidden tool may have rules, and so may a denied one."""
    policy = {**with_tool(action="deny", require=[{"conditions": []}]), "hide": ["t"]}
    assert faults(policy) == []
