"""What rules may have made of a call that is known in part."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.policy.compiled import CallTable
from gateway.policy.decision import Kind, Verdict
from gateway.policy.knowledge import Knowledge
from gateway.policy.prospect import Prospect, prospect
from gateway.policy.schemas import NO_SCHEMAS, KnownSchemas
from tests.support.policies import caller, engine
from tests.support.random_policies import ARGUMENTS, RULES


def of_tool(rules: Any, knowledge: Knowledge, *, is_approved: bool = False, schemas: Any = NO_SCHEMAS) -> Prospect:
    """The prospect of a call of a tool with these rules."""
    table = engine(schemas, tools={"t": rules}).policy.entry_of(Kind.TOOL, "t").judge
    assert isinstance(table, CallTable)
    return prospect(table, knowledge, is_approved=is_approved)


def when(path: str, value: Any = 1) -> dict[str, Any]:
    """A rule with one condition."""
    return {"conditions": [{"path": path, "op": "eq", "value": value}]}


def both(*rules: dict[str, Any]) -> dict[str, Any]:
    """A rule with the conditions of these."""
    return {"conditions": [condition for rule in rules for condition in rule["conditions"]]}


KNOWN = Knowledge(frozenset({"a", "b"}), {"args.a": 1})


@pytest.mark.parametrize(
    ("rules", "verdicts", "may_pass", "unknown"),
    [
        ({"deny_if": [when("args.a")]}, ["deny"], False, ()),
        ({"deny_if": [when("args.a", 2)]}, [], True, ()),
        ({"deny_if": [when("args.b")]}, ["deny"], True, ("args.b",)),
        ({"deny_if": [when("args.b"), when("args.a")]}, ["deny", "deny"], False, ("args.b",)),
        ({"require": [when("args.b")]}, ["deny"], True, ("args.b",)),
        ({"require": [when("args.a"), when("args.c")]}, ["deny"], False, ()),
        ({"approve_if": [when("args.b")], "deny_if": [when("args.b")]}, ["deny", "pending"], True, ("args.b",)),
        ({"approve_if": [when("args.a")]}, ["pending"], False, ()),
        (
            {"deny_if": [{"conditions": [*when("args.b")["conditions"], *when("args.a", 2)["conditions"]]}]},
            [],
            True,
            ("args.b",),
        ),
        ({"arguments": {"required": ["a"]}}, ["deny"], True, ("args.b",)),
        ({"validate": {"schema": True}}, ["deny"], True, ("the server's schema",)),
    ],
)
def test_what_is_not_known_may_be_either(rules: Any, verdicts: list[str], may_pass: bool, unknown: tuple[str, ...]):
    """What is known decides; what is not leaves both ways open."""
    found = of_tool(rules, KNOWN)
    assert [refusal.verdict for refusal in found.refusals] == verdicts
    assert (found.may_pass, found.unknown) == (may_pass, unknown)


def test_an_approved_call_is_not_asked_about():
    """As in the core."""
    assert of_tool({"action": "require_approval"}, KNOWN, is_approved=True) == Prospect((), True, ())
    assert of_tool({"action": "require_approval"}, KNOWN).refusals[0].verdict is Verdict.PENDING


def test_a_check_decides_when_all_arguments_are_known():
    """By the policy's schema or by the server's."""
    known = Knowledge(frozenset({"a"}), {"args.a": 1})
    for rules in ({"arguments": {"required": ["b"]}}, {"validate": {"required_args": True}}):
        found = of_tool(rules, known, schemas=KnownSchemas({"t": {"required": ["b"]}}))
        assert ([refusal.verdict for refusal in found.refusals], found.may_pass) == (["deny"], False)


@settings(max_examples=80, deadline=None)
@given(
    rules=st.fixed_dictionaries(dict.fromkeys(("require", "deny_if", "approve_if"), RULES)),
    arguments=ARGUMENTS,
    is_kept=st.booleans(),
)
def test_what_the_engine_decides_is_among_what_may_have_been(rules: Any, arguments: Any, is_kept: bool):
    """For any rules and arguments; where all is known there is nothing else."""
    decision = caller(tools={"t": rules}).call("t", **arguments)
    kept = {f"args.{key}": value for key, value in arguments.items()} if is_kept else {}
    found = of_tool(rules, Knowledge(frozenset(arguments), kept))
    may_be = {(refusal.verdict, refusal.rule) for refusal in found.refusals}
    if decision.verdict is Verdict.ALLOW:
        assert found.may_pass
    else:
        assert (decision.verdict, decision.rule) in may_be
    if is_kept or not arguments:
        assert len(may_be) + found.may_pass == 1
