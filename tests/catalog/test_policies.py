"""The policies that are shipped: what is generated is what is there, and it does what its description says."""

import json
from pathlib import Path

import pytest

from gateway.catalog import binassist
from gateway.catalog.layout import as_json
from gateway.catalog.recommend import server_policy
from gateway.catalog.survey import survey
from gateway.policy.decision import Verdict
from tests.support.policies import caller

FOLDER = Path(__file__).parents[2] / "gateway" / "catalog" / "policies"
DESCRIPTION = (
    "BinAssistMCP, all 44 tools: reading is free, writing 30 and executing 10 calls a minute for each tool, lists are "
    "bounded, and what destroys asks a human first. Every other tool is denied."
)
TEXT = FOLDER.joinpath("binassist_recommended.json").read_text()
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
TOOLS = [entry["name"] for entry in binassist.TOOLS]


@pytest.fixture
def agent():
    """A grant with the policy."""
    return caller(**json.loads(TEXT))


def test_the_recommended_policy_is_the_generated_one():
    """The file is what the catalogue recommends in the style `balanced`, for each of the 44 tools."""
    assert as_json(server_policy(survey(binassist.TOOLS), "balanced", DESCRIPTION)) + "\n" == TEXT


@pytest.mark.parametrize("tool", TOOLS)
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
    ],
)
def test_what_destroys_asks_a_human(agent, tool, arguments):
    """Destructive calls, and those the server might take for one, wait for an approval."""
    assert agent.call(tool, **arguments).verdict is Verdict.PENDING


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("comments", {"action": ["remove"]}),
        ("comments", {"action": "purge"}),
        ("batch_rename", {"renames": [{}] * 5000}),
        ("batch_rename", {"renames": "[" + "{}," * 5000 + "{}]"}),
        ("types", {"action": "create", "members": {f"m{n}": "int" for n in range(51)}}),
        ("patch_bytes", {"bytes": "90" * 501}),
        ("delete_everything", {}),
    ],
)
def test_what_nobody_has_judged_is_denied(agent, tool, arguments):
    """Actions and tools that are not known, and lists beyond their bound, are refused."""
    assert agent.call(tool, **arguments).verdict is Verdict.DENY


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("comments", {"action": "get"}),
        ("comments", {"action": "set"}),
        ("comments", {}),
        ("bookmarks", {"action": "list"}),
        ("export_program", {"overwrite": False}),
        ("batch_rename", {"renames": [{}] * 50}),
        ("batch_rename", {}),
        ("patch_bytes", {"bytes": "90" * 500}),
    ],
)
def test_what_destroys_nothing_passes(agent, tool, arguments):
    """The other actions of the same tools are allowed."""
    assert agent.call(tool, **arguments).verdict is Verdict.ALLOW
