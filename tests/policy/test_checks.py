"""Mistakes that the shapes of a document do not show."""

from typing import Any

import pytest

from gateway.policy.checks import find_problems
from tests.support.policies import document


def faults(value: Any) -> list[tuple[str, str]]:
    """The pointer and the message of every problem of a policy."""
    problems = find_problems(document(value))
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
        *(({name: {}}, f"/{name}") for name in ("resources", "prompts", "list")),
        *(
            ({"all_tools": {name: []}}, f"/all_tools/{name}")
            for name in ("require", "deny_if", "approve_if", "approval", "arguments", "concurrency")
        ),
        *(
            (with_tool(**{name: {}}), f"/tools/t/{name}")
            for name in (
                "approve_if",
                "approval",
                "arguments",
                "concurrency",
                "rate_limit",
                "validate",
                "audit",
            )
        ),
        *(
            (with_tool(limits=[limit(**{name: 1})]), f"/tools/t/limits/0/{name}")
            for name in ("increment", "increment_from", "mode")
        ),
        (with_tool(limits=[limit(scope="session")]), "/tools/t/limits/0/scope"),
        (with_tool(limits=[limit(scope="server")]), "/tools/t/limits/0/scope"),
        (with_tool(deny_if=[{"conditions": [], "mode": "shadow"}]), "/tools/t/deny_if/0/mode"),
        (with_tool(action="require_approval"), "/tools/t/action"),
        ({"tools": {"get_*": {}}}, "/tools/get_*"),
    ],
)
def test_what_is_not_built_yet_is_refused(policy: dict[str, Any], pointer: str):
    """A part of the language that this version does not carry out is an error, never ignored."""
    ((place, message),) = faults(policy)
    assert place == pointer
    assert "not supported yet by this version" in message


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
    """A part without its shape is left to the decoder; its neighbours are still checked."""
    policy = with_tool(
        action=["deny"],
        limits=[7, limit(max="10", window="never"), limit(window="never")],
        deny_if=[{"conditions": [{"path": 1}, {"path": "x", "op": "eq", "value": 1}], "id": 5, "mode": 1}],
        require="all",
    )
    assert [place for place, _ in faults(policy)] == [
        "/tools/t/deny_if/0/mode",
        "/tools/t/deny_if/0/conditions/1/path",
        "/tools/t/limits/2/window",
    ]


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
