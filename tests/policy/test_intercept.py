"""Whole Intercept documents in version 1."""

from typing import Any

import pytest

from gateway.documents import read_document
from gateway.policy.intercept import version_1

RATE = {"scope": "grant", "algorithm": "fixed_window"}

SHOP = """\
version: "1"
description: A shop
default: deny
hide: [wipe, "old thing"]
tools:
  list_orders: {rules: []}
  refund:
    rules:
      - name: small ones
        conditions: [{path: args.amount, op: lte, value: 10000}]
        on_deny: Larger refunds are made by people
      - name: daily
        conditions: [{path: state.refund.total, op: lte, value: 50000}]
        state: {counter: total, window: day, increment_from: args.amount}
      - {name: hourly, rate_limit: 5/hour}
  close_shop: {rules: [{name: never, action: deny, on_deny: Ask the owner}]}
  pay_out:
    rules:
      - {name: people decide, action: require_approval, approval_timeout: 30m}
  "*":
    rules:
      - {name: everything, rate_limit: 60/minute}
      - {name: no drafts, conditions: [{path: args.draft, op: exists, value: false}]}
"""

SHOP_IN_VERSION_1 = {
    "version": "1",
    "description": "A shop",
    "default": "deny",
    "hide": ["wipe", "old thing"],
    "all_tools": {
        "limits": [{"counter": "_global._rate_minute", "window": "minute", "max": 60, **RATE}],
        "require": [
            {"conditions": [{"path": "args.draft", "op": "exists", "value": False}], "id": "no drafts"},
        ],
    },
    "tools": {
        "list_orders": {},
        "refund": {
            "require": [
                {
                    "conditions": [{"path": "args.amount", "op": "lte", "value": 10000}],
                    "on_deny": "Larger refunds are made by people",
                    "id": "small ones",
                }
            ],
            "limits": [
                {
                    "counter": "refund.total",
                    "window": "day",
                    "max": 50000,
                    **RATE,
                    "increment_from": "args.amount",
                },
                {"counter": "refund._rate_hour", "window": "hour", "max": 5, **RATE},
            ],
        },
        "close_shop": {"deny_if": [{"conditions": [], "on_deny": "Ask the owner", "id": "never"}]},
        "pay_out": {
            "approve_if": [{"conditions": [], "id": "people decide"}],
            "approval": {"expires": "30m"},
        },
    },
}


def form(text: str) -> Any:
    """The version-1 form of a document that has no faults."""
    made, faults = version_1(read_document(text, "p.yaml", "yaml"))
    assert made is not None
    assert faults == []
    return made.value


def faults(text: str) -> list[str]:
    """What cannot be carried over, as a person sees it."""
    document = read_document(text, "p.yaml", "yaml")
    return [str(problem) for problem in document.problems(version_1(document)[1])]


def test_a_whole_document_is_carried_over():
    """Every field of the document, and the rules of single tools and of all, have their place in version 1."""
    assert form(SHOP) == SHOP_IN_VERSION_1


def test_what_is_left_out_is_what_intercept_takes_it_for():
    """Intercept allows what it has no rules for, unless told otherwise."""
    assert form('version: "1"\ntools: {a: {rules: []}}') == {"version": "1", "default": "allow", "tools": {"a": {}}}


def test_rules_that_agree_need_only_one_place():
    """What version 1 has once for a tool may be written in several rules that say the same."""
    assert form("""\
version: "1"
tools:
  a:
    rules:
      - {action: allow, rate_limit: {max: 10, window: 60}}
      - {action: allow, rate_limit: {max: 10, window: 60}, validate: {required_args: true}}
  b: {rules: [{action: require_approval}, {action: require_approval, on_deny: x}]}
""")["tools"] == {
        "a": {"rate_limit": {"max": 10, "window": 60}, "validate": {"required_args": True}},
        "b": {"approve_if": [{"conditions": []}, {"conditions": [], "on_deny": "x"}]},
    }


@pytest.mark.parametrize("place", ["tools:\n  get_*: {rules: []}", "tools: {}\nhide:\n- get_*"])
def test_a_name_that_would_become_a_glob_is_refused(place: str):
    """Intercept matches names to the letter, so a star in one must not begin to match others."""
    (problem,) = faults(f'version: "1"\n{place}')
    assert problem.endswith(
        ": Intercept takes `get_*` for the name of one tool, version 1 for a glob; name the tools one by one, "
        "or write the document in version 1"
    )


def test_hiding_all_tools_is_carried_over():
    """`*` alone means the same in both."""
    assert form('version: "1"\nhide: ["*"]')["hide"] == ["*"]


def test_every_mistake_is_told_with_its_place():
    """One mistake of a rule, a tool or the document hides none of the others."""
    assert faults("""\
version: "1"
approvals: {webhook: {url: "http://127.0.0.1"}}
tools:
  a:
    rules:
      - {rate_limit: 5/hour}
      - {rate_limit: 9/hour}
      - {rate_limit: 9/week}
      - {action: require_approval, approval_timeout: 5m}
      - {action: require_approval}
  b: {rules: [{}]}
  "*": {rules: [{validate: {required_args: true}}, {rate_limit: {max: 1, window: 60}}]}
""") == [
        (
            "p.yaml:2:1: /approvals: how approvals are told and kept is not for a policy to say here; take `approvals` "
            "out, and write `approval_timeout` into the rules that need it"
        ),
        (
            "p.yaml:7:10: /tools/a/rules/1/rate_limit: another rule of this tool counts on `a._rate_hour` already; "
            "keep one, or rename it"
        ),
        (
            "p.yaml:8:10: /tools/a/rules/2/rate_limit: `9/week` is not a rate; write how many in a `minute`, `hour` "
            "or `day`, as in `10/hour`"
        ),
        (
            "p.yaml:10:9: /tools/a/rules/4/approval_timeout: a tool has one `approval_timeout` in version 1; "
            "make all its rules agree on it"
        ),
        (
            "p.yaml:11:15: /tools/b/rules/0: the rule checks nothing; give it `conditions`, a `rate_limit` or "
            "`action: deny`"
        ),
        (
            "p.yaml:12:18: /tools/*/rules/0/validate: only single tools have `validate` in version 1; "
            "write it into the rules of each"
        ),
        (
            "p.yaml:12:53: /tools/*/rules/1/rate_limit: only single tools have `rate_limit` in version 1; "
            "write it into the rules of each"
        ),
    ]


def test_wrong_shapes_are_told_by_their_nearest_names():
    """A document with a wrong shape has no form, and every such mistake is named."""
    document = read_document(
        'version: "1"\ndefalt: deny\ntools: {a: {rules: [{conditons: [], action: denny}]}}', "p.yaml", "yaml"
    )
    made, found = version_1(document)
    assert made is None
    assert document.problems(found) == [
        document.problem(("defalt",), "unknown field; did you mean `default`?"),
        document.problem(("tools", "a", "rules", 0, "conditons"), "unknown field; did you mean `conditions`?"),
        document.problem(("tools", "a", "rules", 0, "action"), "unknown value; did you mean `deny`?"),
    ]
