"""Whole Intercept documents in version 1."""

from typing import Any

import pytest

from gateway.documents import read_document
from gateway.policy.decision import Verdict
from gateway.policy.intercept import version_1
from tests.support.policies import Caller, caller

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


def shop(**tools: Any) -> Caller:
    """An agent whose policy is an Intercept document with these rules."""
    return caller(default="allow", tools={name: {"rules": rules} for name, rules in tools.items()})


def test_a_rate_is_counted_by_the_calendar():
    """Five an hour are five until the full hour strikes, and five after it."""
    agent = shop(pay=[{"name": "hourly", "rate_limit": "5/hour", "on_deny": "Slowly"}])
    agent.clock.advance(ns=3_590 * 1_000_000_000)
    assert [agent.call("pay").verdict for _ in range(5)] == [Verdict.ALLOW] * 5
    refused = agent.call("pay")
    assert (refused.verdict, refused.rule) == (Verdict.THROTTLE, "/tools/pay/limits/pay._rate_hour")
    assert refused.message == "Slowly. Try again in 10 s."
    agent.clock.advance(ns=10 * 1_000_000_000)
    assert [agent.call("pay").verdict for _ in range(6)] == [Verdict.ALLOW] * 5 + [Verdict.THROTTLE]


def test_all_rules_of_a_tool_must_pass():
    """Conditions and counters of one rule, and those of all rules, are joined by AND."""
    agent = shop(
        pay=[
            {"conditions": [{"path": "args.amount", "op": "lte", "value": 50}], "on_deny": "Too much"},
            {
                "conditions": [
                    {"path": "args.currency", "op": "in", "value": ["eur", "usd"]},
                    {"path": "state.pay.n", "op": "lt", "value": 3},
                ],
                "state": {"counter": "n", "window": "day"},
            },
        ]
    )
    assert agent.call("pay", amount=51, currency="eur").message == "Too much"
    assert agent.call("pay", amount=50, currency="gbp").verdict is Verdict.DENY
    assert agent.call("pay", currency="eur").verdict is Verdict.DENY
    assert [agent.call("pay", amount=50, currency="eur").verdict for _ in range(3)] == [
        Verdict.ALLOW,
        Verdict.ALLOW,
        Verdict.THROTTLE,
    ]


def test_a_rule_of_action_deny_lets_no_call_pass():
    """The agent is told why, and the decision has the rule's name."""
    refused = shop(wipe=[{"name": "never", "action": "deny", "on_deny": "Ask the owner"}]).call("wipe")
    assert (refused.verdict, refused.rule, refused.message) == (Verdict.DENY, "never", "Ask the owner")


def test_limits_under_the_star_are_shared_by_all_tools():
    """They count the calls of tools with rules of their own and of tools with none."""
    agent = shop(**{"*": [{"rate_limit": "2/minute"}], "pay": []})
    assert [agent.call(name).verdict for name in ("pay", "other")] == [Verdict.ALLOW] * 2
    assert {agent.call(name).rule for name in ("pay", "other")} == {"/all_tools/limits/_global._rate_minute"}


def test_the_star_does_not_rescue_what_the_default_denies():
    """Under `default: deny` only tools that are listed by their names may be called."""
    agent = caller(tools={"*": {"rules": [{"rate_limit": "2/minute"}]}, "pay": {"rules": []}})
    assert agent.call("pay").verdict is Verdict.ALLOW
    assert agent.call("other").rule == "(default deny)"


@pytest.mark.parametrize(
    ("state", "amounts", "verdicts"),
    [
        ({"increment": 4}, [1, 1, 1], [Verdict.ALLOW, Verdict.ALLOW, Verdict.THROTTLE]),
        ({"increment_from": "args.amount"}, [6, 4, 1], [Verdict.ALLOW, Verdict.ALLOW, Verdict.THROTTLE]),
        ({"increment_from": "args.amount"}, [6, "4", 4], [Verdict.ALLOW, Verdict.DENY, Verdict.ALLOW]),
        ({"increment_from": "args.amount"}, [11, 10], [Verdict.DENY, Verdict.ALLOW]),
    ],
)
def test_a_call_may_cost_more_than_one(state: dict[str, Any], amounts: list[object], verdicts: list[Verdict]):
    """A fixed cost or one read from an argument is spent if it fits, and a refused call spends nothing."""
    agent = shop(
        pay=[
            {
                "conditions": [{"path": "state.pay.total", "op": "lte", "value": 10}],
                "state": {"counter": "total", "window": "day", **state},
            }
        ]
    )
    assert [agent.call("pay", amount=amount).verdict for amount in amounts] == verdicts


def test_approval_is_asked_for_the_calls_that_match():
    """A rule of `require_approval` holds up those calls on which its conditions hold."""
    large = {"path": "args.amount", "op": "gt", "value": 50}
    agent = shop(pay=[{"name": "large", "action": "require_approval", "conditions": [large]}])
    assert agent.call("pay", amount=50).verdict is Verdict.ALLOW
    pending = agent.call("pay", amount=51)
    assert (pending.verdict, pending.rule) == (Verdict.PENDING, "large")
