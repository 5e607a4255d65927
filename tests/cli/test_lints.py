"""Lints with their places, and what they know of tools."""

from pathlib import Path

from gateway.catalog import binassist
from gateway.cli.lints import facts_of, unwise
from gateway.config import load_config
from gateway.documents import read_document
from gateway.policy.load import version_1
from tests.support.gateways import write_config

TEXT = """\
version: "1"
default: deny
tools:
  comments:
    limits: [{counter: c, window: minute, max: 10}]
    deny_if:
      - {conditions: [{path: args.a, op: eq, value: 1}]}
      - {conditions: [{path: args.a, op: eq, value: 1}]}
"""


def test_a_lint_has_the_place_where_it_is_written():
    """Line, column and pointer; with the server's tools there are more."""
    document = version_1(read_document(TEXT, "policy.yaml", "yaml"))
    (found,) = unwise(document, "policy.yaml", None)
    assert found.place == "policy.yaml:8:9: /tools/comments/deny_if/1"
    with_tools = unwise(document, "policy.yaml", list(binassist.TOOLS))
    assert [problem.place.partition(": ")[2] for problem in with_tools] == [
        "/tools/comments/limits",
        "/tools/comments/deny_if/0/conditions/0",
        "/tools/comments/deny_if/1",
        "/tools/comments/deny_if/1/conditions/0",
    ]


def test_a_lint_of_another_dialect_has_the_place_of_what_it_was_made_from():
    """As mistakes have."""
    text = "version: '1'\ndefault: deny\ntools:\n  t:\n    action: deny\n    rate_limit: {max: 1, window: 60}\n"
    (found,) = unwise(version_1(read_document(text, "p.yaml", "yaml")), "p.yaml", None)
    assert found.place.startswith("p.yaml:5:5: /tools/t/action")


def test_policies_of_a_configuration_are_looked_at_by_their_names(tmp_path: Path):
    """Wherever they are written."""
    policy = read_document(TEXT, "policy.yaml", "yaml").value
    config = load_config(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"alice": policy}))
    (found,) = unwise(config, "gateway.json", None)
    assert found.place == "gateway.json: policy alice: /tools/comments/deny_if/1"


def test_what_the_lints_know_of_tools():
    """Their arguments, and an action that decides about the risk; a flag is none."""
    facts = {fact.name: fact for fact in facts_of(list(binassist.TOOLS))}
    assert facts["comments"].switch == "args.action"
    assert facts["assemble_code"].switch is None
    assert "action" in (facts["comments"].arguments or ())
    (unknown,) = facts_of([{"name": "t", "inputSchema": {"type": "object"}}])
    assert (unknown.arguments, unknown.switch) == (None, None)
