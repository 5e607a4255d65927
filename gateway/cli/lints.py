"""What is unwise in policies, for `gateway check`: lints with their places, and the facts of tools that they need."""

from collections.abc import Iterator
from typing import Any

from gateway.catalog.risk import Classification
from gateway.catalog.survey import survey
from gateway.cli.tool_source import Tools
from gateway.config import Config
from gateway.documents import Document
from gateway.errors import Problem
from gateway.policy.lint import lint
from gateway.policy.lint_tools import ToolFacts, lint_tools
from gateway.policy.load import load_policy
from gateway.policy.model import Policy
from gateway.reading.outcome import Fault


def unwise(checked: Config | Document, name: str, tools: Tools | None) -> list[Problem]:
    """What is unwise in a policy, or in each policy of a configuration; with the server's tools also for these."""
    facts = None if tools is None else facts_of(tools)
    if isinstance(checked, Document):
        return checked.problems(_lints(load_policy(checked), facts))
    found: list[Problem] = []
    for label, policy in checked.policies.items():
        # The policy may stand in another file, so it is known by its name.
        found += Document(None, f"{name}: policy {label}").problems(_lints(policy, facts))
    return found


def facts_of(tools: Tools) -> list[ToolFacts]:
    """What the lints need to know of tools as they are listed."""
    risks = {classification.tool: classification for classification in survey(tools)}
    return [ToolFacts(entry["name"], _arguments(entry), _switch(risks[entry["name"]])) for entry in tools]


def _lints(policy: Policy, facts: list[ToolFacts] | None) -> Iterator[Fault]:
    yield from lint(policy)
    if facts is not None:
        yield from lint_tools(policy, facts)


def _arguments(entry: dict[str, Any]) -> frozenset[str] | None:
    schema = entry.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return None
    return frozenset(properties)


def _switch(classification: Classification) -> str | None:
    """The argument whose words differ in risk, where there is one: an action, not a flag."""
    for switch in classification.switches:
        risks = {value.risk for value in switch.values if isinstance(value.value, str)}
        if len(risks) > 1:
            return switch.path
    return None
