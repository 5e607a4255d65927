"""What changes between two policies, name by name."""

from typing import Any

import pytest

from gateway.policy.decision import Kind
from gateway.policy.diff import Change, Difference, Rename, State, diff
from gateway.policy.tables import compile_policy
from tests.support.policies import policy

RULE = {"conditions": [{"path": "args.a", "op": "eq", "value": 1}]}


def limit(counter: str, maximum: int = 10, **more: Any) -> dict[str, Any]:
    """A limit."""
    return {"counter": counter, "window": "minute", "max": maximum, **more}


def compared(before: dict[str, Any], after: dict[str, Any], *tools: str) -> Difference:
    """The difference between two policies."""
    return diff(compile_policy(policy(**before)), compile_policy(policy(**after)), tools)


def of_tool(before: Any, after: Any) -> Change:
    """The one change, of a tool `t` with these rules."""
    (change,) = compared({"tools": {"t": before}}, {"tools": {"t": after}}).changes
    return change


STATES: dict[State, dict[str, Any]] = {
    State.HIDDEN: {"tools": {"t": {}}, "hide": ["t"]},
    State.DENIED: {"tools": {"t": {"action": "deny"}}},
    State.ASKS: {"tools": {"t": {"action": "require_approval"}}},
    State.RULED: {"tools": {"t": {"deny_if": [RULE]}}},
    State.LIMITED: {"tools": {"t": {"limits": [limit("c")]}}},
    State.ALLOWED: {"tools": {"t": {}}},
}


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_a_tool_that_changes_its_state_is_told(before: State, after: State):
    """From every state to every other; a policy beside itself changes nothing."""
    changes = compared(STATES[before], STATES[after]).changes
    expected = [] if before is after else [("t", before, after)]
    assert [(change.name, change.before, change.after) for change in changes] == expected


def test_a_denial_without_conditions_and_no_entry_are_both_denied():
    """However it is written."""
    always: dict[str, Any] = {"deny_if": [{"conditions": []}]}
    change = of_tool(always, {})
    assert (change.before, change.after) == (State.DENIED, State.ALLOWED)
    assert [change.before for change in compared({}, {"tools": {"t": {}}}).changes] == [State.DENIED]


@pytest.mark.parametrize(
    ("before", "after", "removed", "added"),
    [
        (
            {"limits": [limit("c", 10)]},
            {"limits": [limit("c", 5, scope="server", algorithm="fixed_window")]},
            ["limit: c: 10 a minute per grant"],
            ["limit: c: 5 a minute per server, fixed window"],
        ),
        (
            {"limits": [limit("c", 10, algorithm="token_bucket", burst=2)]},
            {"limits": [limit("c", 10, increment=2, increment_from="args.n[0]")]},
            ["limit: c: 10 a minute per grant, token bucket with burst 2"],
            ["limit: c: 10 a minute per grant, fixed window, a call costs 2 or args.n[0]"],
        ),
        ({"deny_if": [RULE]}, {"require": [RULE]}, ["deny_if: args.a eq 1"], ["require: args.a eq 1"]),
        (
            {"arguments": {"required": ["a"]}},
            {"validate": {"schema": True}},
            ['check: {"required":["a"]}'],
            ["check: the server's schema"],
        ),
        ({"concurrency": 1}, {"concurrency": 2}, ["concurrency: 1"], ["concurrency: 2"]),
        (
            {"action": "require_approval"},
            {"action": "require_approval", "approval": {"hold": "5s"}},
            ["approval: within 600 s, held for 20 s"],
            ["approval: within 600 s, held for 5 s"],
        ),
        (
            {"deny_if": [{**RULE, "mode": "shadow"}]},
            {"deny_if": [RULE]},
            ["shadow deny_if: args.a eq 1"],
            ["deny_if: args.a eq 1"],
        ),
        ({"audit": {"keep": ["args.a"]}}, {"audit": {"keep": ["args.b"]}}, ["recorded: args.a"], ["recorded: args.b"]),
    ],
)
def test_what_is_asked_otherwise_is_told(before: Any, after: Any, removed: list[str], added: list[str]):
    """A line for each thing that is no more, and that is new."""
    change = of_tool(before, after)
    assert (list(change.removed), list(change.added)) == (removed, added)


def test_texts_and_names_of_rules_are_no_change():
    """Nor is the order of rules."""
    other = {"conditions": [{"path": "args.b", "op": "eq", "value": 1}]}
    before = {"tools": {"t": {"deny_if": [RULE, other]}}, "description": "old"}
    after = {"tools": {"t": {"deny_if": [other, {**RULE, "id": "a", "on_deny": "no"}]}}}
    assert compared(before, after) == Difference((), ())


def test_tools_that_only_a_glob_names_are_told_apart_when_they_are_known():
    """The glob itself is told always."""
    before: dict[str, Any] = {"tools": {"get_*": {}}}
    after = {"tools": {"get_*": {}, "get_s*": {"action": "deny"}}}
    assert [change.name for change in compared(before, after).changes] == ["get_s*"]
    names = [change.name for change in compared(before, after, "get_secret", "get_code").changes]
    assert names == ["get_s*", "get_secret"]


def test_any_other_name_is_told_too():
    """Of every kind."""
    changes = compared({"default": "deny"}, {"default": "allow"}).changes
    assert [(change.kind, change.name) for change in changes] == [(kind, "") for kind in Kind]


def test_prompts_and_resources_are_compared():
    """By their keys."""
    changes = compared({"prompts": {"p": {}}}, {"resources": {"a://*": {}}}).changes
    assert {(change.kind, change.name, change.after) for change in changes} == {
        (Kind.PROMPT, "p", State.DENIED),
        (Kind.RESOURCE, "a://*", State.ALLOWED),
    }


def test_what_lists_show_is_told():
    """A denied tool that agents are shown is a change they notice."""
    (change,) = compared(
        {"tools": {"t": {"action": "deny"}}}, {"tools": {"t": {"action": "deny"}}, "list": "all"}
    ).changes[:1]
    assert change.added == ("shown in lists",)


def test_a_renamed_counter_is_told():
    """Its budget starts anew; one that others still name is none, nor is one more limit."""
    before = {"tools": {"t": {"limits": [limit("old")]}, "u": {"limits": [limit("kept")]}}}
    after = {"tools": {"t": {"limits": [limit("new")]}, "u": {"limits": [limit("kept"), limit("more")]}}}
    assert compared(before, after).renames == (Rename("old", "new"),)
    assert compared(before, {"tools": {"t": {}, "u": {}}}).renames == ()
