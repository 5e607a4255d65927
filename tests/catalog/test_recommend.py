"""Recommended policies do what their sentences say: each is run through the engine."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings

from gateway.catalog import binassist
from gateway.catalog.classify import classify
from gateway.catalog.definition import read_definition
from gateway.catalog.recommend import is_nameable, sentence, server_policy, tool_policy, tool_rules
from gateway.catalog.risk import RiskClass, ValueRisk
from gateway.catalog.styles import STYLES
from gateway.catalog.survey import survey
from gateway.policy.decision import Verdict
from tests.catalog.definitions import definition, entry
from tests.catalog.test_classify import entries
from tests.support.policies import caller, policy

KNOWN = {one.tool: one for one in survey(binassist.TOOLS)}
PROMISES = yaml.safe_load(Path(__file__).with_name("recommended.yaml").read_text())


def document(promise: dict[str, Any]) -> dict[str, Any]:
    """The document that a promise is about."""
    if "server" in promise:
        return server_policy(KNOWN.values(), promise["server"], "Made for a test.")
    return tool_policy(KNOWN[promise["tool"]], promise.get("style", "balanced"))


def arguments(call: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call; with `lists`, each number stands for a list of that length."""
    given = call.get("arguments", {})
    return {name: [{"old": "a", "new": "b"}] * value for name, value in given.items()} if "lists" in call else given


@pytest.mark.parametrize("promise", PROMISES, ids=lambda p: f"{p.get('tool', 'server')}-{p.get('style', 'balanced')}")
def test_a_recommended_document_does_what_its_sentence_says(promise):
    """The sentence is the document's own, and the calls that illustrate it end as it promises."""
    made = document(promise)
    assert made["description"] == promise["says"]
    agent = caller(**made)
    for call in promise["calls"]:
        for _ in range(call.get("times", 1)):
            decision = agent.call(call["tool"], **arguments(call))
            assert (decision.verdict.value, decision.rule) == (call["verdict"], call["rule"]), call
            assert {one.rule: one.verdict.value for one in decision.shadow} == call.get("would", {}), call


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("tool", KNOWN)
def test_the_classes_of_the_table_get_their_rules(tool, style):
    """Read is free; the others have the limit of their class and no more, or ask, or are refused."""
    known = KNOWN[tool]
    agent = caller(**tool_policy(known, style))
    answer = STYLES[style].answers[known.risk]
    for _ in range(answer.per_minute or 50 if answer.verdict == "allow" else 0):
        assert agent.call(tool).verdict is Verdict.ALLOW
    last = agent.call(tool)
    limit = f"/tools/{tool}/limits/{tool}_rate"
    match answer.verdict, answer.per_minute, STYLES[style].is_shadow:
        case "allow", None, _:
            assert last.verdict is Verdict.ALLOW
        case "allow", _, True:
            assert (last.verdict, [one.rule for one in last.shadow]) == (Verdict.ALLOW, [limit])
        case "allow", _, False:
            assert (last.verdict, last.rule) == (Verdict.THROTTLE, limit)
        case _:
            assert last.verdict is Verdict.PENDING


@pytest.mark.parametrize("style", STYLES)
@given(listed=entries())
@settings(max_examples=30)
def test_whatever_a_server_lists_the_policy_is_one_that_the_gateway_takes(style, listed):
    """Rules made from any definition load."""
    classification = classify(read_definition(listed))
    assert set(policy(**server_policy([classification], style)).tools) == {listed["name"]}
    assert sentence(classification, style).startswith(listed["name"] + ": ")


@given(listed=entries())
@settings(max_examples=50)
def test_what_destroys_never_passes_unasked(listed):
    """Outside of `watch`, no value of a switch that is Destructive or worse is allowed, nor any call of such a tool."""
    found = classify(read_definition(listed))
    bad = {RiskClass.DESTRUCTIVE, RiskClass.FINANCIAL}
    for style in ("strict", "balanced"):
        agent = caller(**tool_policy(found, style))
        if found.base in bad:
            assert agent.call(found.tool).verdict in (Verdict.PENDING, Verdict.DENY)
        for switch in found.switches:
            name = switch.path.removeprefix("args.")
            for value in switch.values:
                verdict = agent.call(found.tool, **{name: value.value}).verdict
                assert value.risk not in bad or verdict in (Verdict.PENDING, Verdict.DENY)


def test_a_call_without_its_action_is_as_bad_as_the_default():
    """Where leaving the action out may mean the destructive one, that asks too."""
    action = {"enum": ["get", "remove"]}
    for default, verdict in (({}, Verdict.PENDING), ({"default": "remove"}, Verdict.PENDING)):
        assert (
            caller(**tool_policy(classify(definition("notes", action=action | default)))).call("notes").verdict
            is verdict
        )
    milder = classify(definition("notes", action=action | {"default": "get"}))
    assert caller(**tool_policy(milder)).call("notes").verdict is Verdict.ALLOW


def test_a_tool_of_which_every_action_reads_is_free():
    """Such a tool is Read, and policy.md gives it `{}`."""
    found = classify(definition("notes", action={"enum": ["get", "list"]}))
    assert tool_rules(found) == {}


@pytest.mark.parametrize("name", ["*", "get_*", "", "a\nb", "a\u202eb", "x" * 129])
def test_a_name_that_no_rule_can_stand_for_is_left_out(name):
    """A tool called `*` must not become a rule for all the others."""
    assert not is_nameable(name)
    listed = survey([entry(name), entry("get_it")])
    assert set(server_policy(listed)["tools"]) == {"get_it"}


def test_names_of_arguments_are_shown_escaped():
    """A server cannot put escapes of terminals into messages by what it calls its arguments."""
    found = classify(definition("rename", **{"a\x1b[2J": "array"}))
    (rule,) = tool_rules(found)["deny_if"]
    assert rule["on_deny"].startswith("At most 50 entries in a\\u{1b}\\[2J in one call")


def test_a_number_among_the_actions_asks():
    """An action may be a number; beside texts that need approval it fails closed, as every other type does."""
    found = classify(definition("notes", action={"enum": [1, "remove"]}))
    assert found.switches[0].values[0] == ValueRisk(1, RiskClass.EXECUTE, msgspec.convert("High", type(found.level)))
    assert caller(**tool_policy(found)).call("notes", action=1).verdict is Verdict.PENDING
