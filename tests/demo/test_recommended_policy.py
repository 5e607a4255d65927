"""The recommended policy for all 44 tools, run through the engine: it does what its description says."""

import json
from pathlib import Path

import pytest

from gateway.demo import catalogue
from gateway.policy.decision import Verdict
from tests.support.policies import caller

POLICY = json.loads(
    Path(__file__).parents[2].joinpath("gateway/catalog/policies/binassist_recommended.json").read_text()
)
EXECUTE = {"open_binary", "update_analysis_and_wait", "start_task", "cancel_task"}
WRITE = {
    "rename_symbol",
    "create_data_var",
    "comments",
    "variables",
    "types",
    "patch_bytes",
    "assemble_code",
    "export_program",
    "batch_rename",
    "bookmarks",
}
PER_MINUTE = {**dict.fromkeys(WRITE, 30), **dict.fromkeys(EXECUTE, 10)}


@pytest.fixture
def agent():
    """A grant with the policy."""
    return caller(**POLICY)


def test_it_names_every_tool_of_the_server_and_no_other():
    """All 44 are listed, so a new tool of the server is denied until somebody decides on it."""
    assert list(POLICY["tools"]) == list(catalogue.TOOLS)


@pytest.mark.parametrize("tool", catalogue.TOOLS)
def test_reading_is_free_and_the_rest_is_limited(agent, tool):
    """30 calls a minute for writing, 10 for executing, none refused for reading."""
    limit = PER_MINUTE.get(tool)
    for _ in range(limit or 50):
        assert agent.call(tool).verdict is Verdict.ALLOW
    after = agent.call(tool)
    if limit is None:
        assert after.verdict is Verdict.ALLOW
    else:
        assert (after.verdict, after.limit.counter) == (Verdict.THROTTLE, f"{tool}_rate")


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("comments", {"action": "remove"}),
        ("bookmarks", {"action": "remove"}),
        ("export_program", {"overwrite": True}),
        ("export_program", {"overwrite": "true"}),
        ("export_program", {"overwrite": 1}),
        ("comments", {"action": ["remove"]}),
    ],
)
def test_what_destroys_is_left_to_a_human(agent, tool, arguments):
    """Destructive calls, and those the server might take for one, are denied with a word about a human."""
    decision = agent.call(tool, **arguments)
    assert decision.verdict is Verdict.DENY
    assert "ask a human" in decision.message


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("comments", {"action": "set"}),
        ("comments", {}),
        ("bookmarks", {"action": "list"}),
        ("export_program", {"overwrite": False}),
    ],
)
def test_what_destroys_nothing_passes(agent, tool, arguments):
    """The other actions of the same tools are allowed."""
    assert agent.call(tool, **arguments).verdict is Verdict.ALLOW


def test_an_unknown_tool_is_denied(agent):
    """The default is deny."""
    decision = agent.call("delete_everything")
    assert (decision.verdict, decision.rule) == (Verdict.DENY, "(default deny)")
