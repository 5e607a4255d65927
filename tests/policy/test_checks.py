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
    "policy",
    [
        {"resources": {"a://*": {"action": "deny"}}, "list": "all"},
        {"all_tools": {"require": [], "approval": {"expires": "1h", "hold": 0}, "concurrency": 3}},
        with_tool(rate_limit={"max": 1, "window": "minute"}),
        with_tool(action="require_approval", reason="Ask first."),
        with_tool(limits=[limit(scope="session"), limit(counter="d", increment=3, increment_from="args.n")]),
        with_tool(deny_if=[{"conditions": [], "mode": "shadow"}]),
        with_tool(arguments={"type": "object"}, validate={"schema": True}, audit={"keep": ["args.a[*]"]}),
        {"tools": {"get_*": {}}, "prompts": {"*": {"require": []}}},
    ],
)
def test_every_part_of_the_language_is_accepted(policy: dict[str, Any]):
    """What is written as it should be has no faults."""
    assert faults(policy) == []


CONDITION = {"path": "args.a", "op": "eq", "value": 1}
DEEP = {"conditions": [{**CONDITION, "path": "a"}]}


@pytest.mark.parametrize(
    ("policy", "pointer", "message"),
    [
        (with_tool(approval={"hold": "61s"}), "/tools/t/approval/hold", "a time of at most 60 seconds"),
        (with_tool(approval={"hold": -1}), "/tools/t/approval/hold", "a time of at most 60 seconds"),
        (with_tool(approval={"expires": "31d"}), "/tools/t/approval/expires", "from 1 second to 30 days"),
        (with_tool(approval={"expires": "soon"}), "/tools/t/approval/expires", "is not a duration"),
        ({"all_tools": {"approval": {"expires": 0}}}, "/all_tools/approval/expires", "from 1 second to 30 days"),
        (with_tool(arguments={"type": "objekt"}), "/tools/t/arguments", "not a JSON Schema at /type"),
        (with_tool(arguments={"$ref": "http://127.0.0.1/x"}), "/tools/t/arguments", "never fetched"),
        ({"all_tools": {"arguments": {"pattern": "(?=x)"}}}, "/all_tools/arguments", "not a JSON Schema at /pattern"),
        ({"prompts": {"p": {"arguments": {"type": 1}}}}, "/prompts/p/arguments", "not a JSON Schema at /type"),
        (with_tool(audit={"keep": ["args.a", "b"]}), "/tools/t/audit/keep", "must start with `args.`"),
        (with_tool(rate_limit={"max": 1, "window": "0s"}), "/tools/t/rate_limit/window", "at least 1 second"),
        (with_tool(limits=[limit(increment_from="n")]), "/tools/t/limits/0/increment_from", "must start with `args.`"),
        (with_tool(limits=[limit(increment_from="args.n[*]")]), "/tools/t/limits/0/increment_from", "one argument"),
        (with_tool(limits=[limit(increment=11)]), "/tools/t/limits/0/increment", "no call could ever pass"),
        (with_tool(approve_if=[DEEP]), "/tools/t/approve_if/0/conditions/0/path", "must start with `args.`"),
        ({"all_tools": {"deny_if": [DEEP]}}, "/all_tools/deny_if/0/conditions/0/path", "must start with `args.`"),
        ({"prompts": {"p": {"require": [DEEP]}}}, "/prompts/p/require/0/conditions/0/path", "must start with"),
        ({"resources": {"r": {"limits": [limit(window="x")]}}}, "/resources/r/limits/0/window", "is not a window"),
        ({"resources": {"r": {"reason": "x"}}}, "/resources/r/reason", "have a reason"),
        ({"tools": {"": {}}}, "/tools/", "an empty name matches nothing"),
        (
            with_tool(require=[{"conditions": [{**CONDITION, "path": "length(args.a)", "value": "x"}]}]),
            "/tools/t/require/0/conditions/0/value",
            "never a string",
        ),
    ],
)
def test_a_mistake_is_found_wherever_it_stands(policy: dict[str, Any], pointer: str, message: str):
    """At its place, with what would mend it."""
    ((place, text),) = faults(policy)
    assert place == pointer
    assert message in text


def test_a_counter_of_costs_is_no_sliding_window():
    """Wherever on it the cost is named: one limit makes the counter one of costs for all of them."""
    limits = [limit(algorithm="sliding_window"), limit(increment=2)]
    ((place, message),) = faults({"tools": {"a": {"limits": limits[:1]}, "b": {"limits": limits[1:]}}})
    assert place == "/tools/a/limits/0/algorithm"
    assert "a sliding window counts calls, and a limit on this counter has `increment`" in message
    assert faults({"tools": {"a": {"limits": [limit()]}, "b": {"limits": limits[1:]}}}) == []


def test_a_short_limit_is_a_limit_like_any_other():
    """Its counter has the tool's name, and whoever names it too must agree."""
    policy = with_tool(rate_limit={"max": 10, "window": 60}, limits=[limit(counter="t_rate")])
    ((place, message),) = faults(policy)
    assert place in ("/tools/t/limits/0", "/tools/t/rate_limit")
    assert "the counter `t_rate` is shared with" in message
    assert (
        faults(with_tool(rate_limit={"max": 10, "window": 60}, limits=[limit(counter="t_rate", scope="session")])) == []
    )


@pytest.mark.parametrize("rules", [{"reason": "No."}, {"action": "allow", "reason": ""}])
def test_a_reason_that_nobody_would_be_told_is_refused(rules: dict[str, Any]):
    """An action that allows has none; it would be ignored."""
    ((place, message),) = faults(with_tool(**rules))
    assert place == "/tools/t/reason"
    assert "only `action: deny` and `action: require_approval` have a reason; add one" in message


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
        {"scope": "server"},
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
