"""What is unwise in a policy for one server's tools."""

from typing import Any

import pytest

from gateway.policy.lint_tools import ToolFacts, lint_tools
from tests.support.policies import policy

TOOLS = (
    ToolFacts("get_code", frozenset({"name", "format"})),
    ToolFacts("comments", frozenset({"action", "address"}), switch="args.action"),
    ToolFacts("anything", None),
)


def when(path: str, op: str = "eq", value: Any = 1) -> dict[str, Any]:
    """A rule with one condition."""
    return {"conditions": [{"path": path, "op": op, "value": value}]}


def lints(**fields: Any) -> dict[str, str]:
    """What is found, by the pointer to its place."""
    found = lint_tools(policy(**fields), TOOLS)
    return {"".join(f"/{step}" for step in path): message for path, message in found}


LIMITS = [{"counter": "c", "window": "minute", "max": 1}]


@pytest.mark.parametrize(
    ("fields", "path", "message"),
    [
        ({"tools": {"get_cod": {}}}, "/tools/get_cod", "the server has no tool `get_cod`; did you mean `get_code`?"),
        ({"tools": {"zzz": {}}}, "/tools/zzz", "the server has no tool `zzz`"),
        ({"tools": {"set_*": {}}}, "/tools/set_*", "the server has no tool that `set_*` matches"),
        ({"hide": ["get_code", "coments"]}, "/hide/1", "the server has no tool `coments`; did you mean `comments`?"),
        ({"tools": {"get_*": {}, "get_*e": {}}}, "/tools/get_*", "matches `get_code` as `get_*e` does"),
        (
            {"tools": {"get_code": {"deny_if": [when("args.nme")]}}},
            "/tools/get_code/deny_if/0/conditions/0",
            "`get_code` has no argument `nme`, so the rule never fires; did you mean `name`?",
        ),
        (
            {"tools": {"get_code": {"require": [when("length(args.x.y)", "gt")]}}},
            "/tools/get_code/require/0/conditions/0",
            "`get_code` has no argument `x`, so every call is denied",
        ),
        (
            {"tools": {"get_code": {"require": [when("args.x", "exists", value=False)]}}},
            "/tools/get_code/require/0/conditions/0",
            "so the condition always holds",
        ),
        (
            {"tools": {"get_*": {"approve_if": [when("args.x")]}}},
            "/tools/get_*/approve_if/0/conditions/0",
            "so the rule never asks",
        ),
        (
            {"tools": {"get_code": {"limits": [{**LIMITS[0], "increment_from": "args.amount"}]}}},
            "/tools/get_code/limits/0/increment_from",
            "so every call is denied",
        ),
        (
            {"tools": {"get_code": {"audit": {"keep": ["args.name", "args.file"]}}}},
            "/tools/get_code/audit/keep/1",
            "so nothing is recorded",
        ),
        ({"tools": {"comments": {"limits": LIMITS}}}, "/tools/comments/limits", "without looking at `args.action`"),
        (
            {"tools": {"com*": {"rate_limit": {"max": 1, "window": 60}}}},
            "/tools/com*/rate_limit",
            "limits `comments` without looking",
        ),
    ],
)
def test_what_does_not_fit_the_tools_is_found(fields: Any, path: str, message: str):
    """With its place, the reason, and the nearest name where there is one."""
    found = lints(**fields)
    assert list(found) == [path]
    assert message in found[path]


@pytest.mark.parametrize(
    "fields",
    [
        {
            "tools": {
                "get_code": {"deny_if": [when("args.name")]},
                "com*": {},
                "anything": {"deny_if": [when("args.x")]},
            }
        },
        {"hide": ["*"]},
        {"tools": {"comments": {"limits": LIMITS, "approve_if": [when("args.action")]}}},
        {"tools": {"comments": {"limits": LIMITS, "arguments": {"properties": {"action": {"enum": ["get"]}}}}}},
        {"tools": {"get_code": {"limits": LIMITS}}},
        {"tools": {"get_code": {}, "get_*": {}, "*e": {}}},
        {"tools": {"get_c*": {}, "get_*": {}}},
        {"all_tools": {"deny_if": [when("args.whatever")]}},
        {"prompts": {"p": {"deny_if": [when("args.x")]}}},
    ],
)
def test_nothing_is_said_of_what_fits(fields: Any):
    """Or of what the server does not tell."""
    assert lints(**fields) == {}
