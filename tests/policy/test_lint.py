"""What is unwise in a policy, told by the policy alone."""

from typing import Any

import pytest

from gateway.policy.lint import lint
from tests.support.policies import policy


def when(value: Any, op: str = "eq", path: str = "args.a", **more: Any) -> dict[str, Any]:
    """A rule with one condition."""
    return {"conditions": [{"path": path, "op": op, "value": value}], **more}


def limit(counter: str, maximum: int, window: Any = "minute", **more: Any) -> dict[str, Any]:
    """A limit."""
    return {"counter": counter, "window": window, "max": maximum, **more}


def lints(**fields: Any) -> dict[str, str]:
    """What is found, by the pointer to its place."""
    return {"".join(f"/{step}" for step in path): message for path, message in lint(policy(**fields))}


def of_tool(**rules: Any) -> dict[str, str]:
    """The same of the rules for one tool `t`."""
    return {path.removeprefix("/tools/t"): message for path, message in lints(tools={"t": rules}).items()}


ALWAYS: dict[str, Any] = {"conditions": []}


@pytest.mark.parametrize(
    ("rules", "path", "message"),
    [
        ({"action": "deny", "limits": [limit("c", 1)]}, "/action", "denies every call, so limits of this entry never"),
        ({"action": "require_approval", "approve_if": [when(1)]}, "/approve_if", "asks for every call already"),
        ({"deny_if": [ALWAYS, when(1)]}, "/deny_if/0", "so the other rules of deny_if never decide"),
        (
            {"deny_if": [ALWAYS], "limits": [limit("c", 1)], "approve_if": [when(1)]},
            "/deny_if/0",
            "so approve_if and limits never decide",
        ),
        ({"deny_if": [when(1), when(1)]}, "/deny_if/1", "number 1 of the list covers every such call"),
        (
            {"deny_if": [{"conditions": [*when(1)["conditions"], *when(2, path="args.b")["conditions"]]}, when(1)]},
            "/deny_if/0",
            "number 2 of the list covers",
        ),
        ({"approve_if": [when(1), ALWAYS]}, "/approve_if/0", "number 2 of the list covers"),
        (
            {"require": [when(1), {"conditions": [*when(1)["conditions"], *when(2, path="args.b")["conditions"]]}]},
            "/require/0",
            "number 2 of the list covers",
        ),
        (
            {"require": [{"conditions": [*when(1)["conditions"], *when(2)["conditions"]]}]},
            "/require/0",
            "can never hold, so every call is denied: its conditions on args.a exclude each other",
        ),
        (
            {"deny_if": [{"conditions": [*when(5, "gt")["conditions"], *when(1, "lt")["conditions"]]}]},
            "/deny_if/0",
            "can never fire but on an argument of another type",
        ),
        ({"limits": [limit("few", 5), limit("many", 10)]}, "/limits/1", "`few` refuses before"),
        ({"limits": [limit("few", 5), limit("long", 300, "hour")]}, "/limits/1", "`few` refuses before"),
        ({"limits": [limit("all", 5, scope="server"), limit("own", 5)]}, "/limits/1", "`all` refuses before"),
        ({"limits": [limit("a", 5), limit("b", 5)]}, "/limits/1", "`a` refuses before"),
        (
            {"limits": [limit("a", 5, algorithm="fixed_window"), limit("b", 300, "hour", algorithm="fixed_window")]},
            "/limits/1",
            "`a` refuses before",
        ),
        (
            {"limits": [limit("a", 5, algorithm="token_bucket", burst=2), limit("b", 302, "hour")]},
            "/limits/1",
            "`a` refuses before",
        ),
        (
            {"limits": [limit("a", 5, scope="session")], "rate_limit": {"max": 9, "window": 60}},
            "/rate_limit",
            "`a` refuses before",
        ),
    ],
)
def test_what_never_decides_is_found(rules: Any, path: str, message: str):
    """With its place and the reason, and nothing else is said."""
    found = of_tool(**rules)
    assert list(found) == [path]
    assert message in found[path]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"action": "deny"},
        {"action": "require_approval", "deny_if": [when(1)], "limits": [limit("c", 1)]},
        {"deny_if": [ALWAYS]},
        {"deny_if": [{**ALWAYS, "mode": "shadow"}, when(1)], "limits": [limit("c", 1)]},
        {"deny_if": [when(1), when(1, mode="shadow")]},
        {"deny_if": [when(1), when(2)], "require": [when(1), when(2, path="args.b")]},
        {"limits": [limit("few", 5), limit("long", 299, "hour")]},
        {"limits": [limit("own", 5), limit("all", 9, scope="server")]},
        {"limits": [limit("a", 5, algorithm="fixed_window"), limit("b", 9)]},
        {"limits": [limit("a", 5, algorithm="token_bucket", burst=2), limit("b", 301, "hour")]},
        {"limits": [limit("a", 5), limit("b", 10, increment_from="args.n")]},
        {"limits": [limit("a", 5), limit("b", 10, algorithm="token_bucket")]},
        {"limits": [limit("a", 5, mode="shadow"), limit("b", 10)]},
    ],
)
def test_nothing_is_said_of_what_may_decide(rules: Any):
    """Warnings that are wrong would be read no more."""
    assert of_tool(**rules) == {}


def test_a_limit_that_other_tools_spend_on_too_may_be_reached():
    """Only what all of its calls meet can keep them below it."""
    shared = limit("many", 10)
    tools = {"a": {"limits": [limit("few", 5), shared]}, "b": {"limits": [shared]}}
    assert lints(tools=tools) == {}
    tools["b"]["limits"].append(limit("few", 5))
    assert list(lints(tools=tools)) == ["/tools/a/limits/1"]
    assert list(lints(default="allow", all_tools={"limits": [limit("few", 5), limit("many", 10)]})) == [
        "/all_tools/limits/1"
    ]


def test_rules_of_a_hidden_tool_never_decide():
    """A glob may speak of others as well."""
    found = lints(hide=["secret*"], tools={"secret_a": {}, "secret_*": {}, "open": {}})
    assert found == {"/tools/secret_a": "is hidden by `secret*`, so its rules never decide"}


def test_prompts_and_resources_are_looked_at_as_well():
    """As far as they have rules."""
    found = lints(
        prompts={"p": {"deny_if": [when(1), when(1)]}}, resources={"r://x": {"action": "deny", "concurrency": 1}}
    )
    assert list(found) == ["/resources/r://x/action", "/prompts/p/deny_if/1"]
