"""`gateway explain`: one call, by a policy alone or by a gateway's own counters, which it leaves as they are."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main
from tests.support.gateways import SEED_POLICY, write_config

COMMENTS = {
    "version": "1",
    "default": "deny",
    "tools": {
        "comments": {"deny_if": [{"conditions": [{"path": "args.action", "op": "eq", "value": "remove"}]}]},
        "busy": {"concurrency": 1},
        "checked": {"validate": {"required_args": True}},
        "session": {"limits": [{"counter": "c", "window": "day", "max": 1, "scope": "session"}]},
    },
}


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Work in an empty folder; writes files there that the gateway trusts."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, value: Any) -> None:
        Path(name).write_text(json.dumps(value))
        Path(name).chmod(0o600)

    write("policy.json", COMMENTS)
    return write


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What `gateway explain --json` says."""
    assert main(["explain", *arguments, "--json"]) == 0
    explained: dict[str, Any] = json.loads(capsys.readouterr().out)
    return explained


def test_a_policy_alone_is_enough(write, capsys: pytest.CaptureFixture[str]):
    """No configuration, nothing spent yet."""
    assert main(["explain", "comments", "--policy", "policy.json", "--args", '{"action": "remove"}']) == 0
    out = capsys.readouterr().out
    assert out.startswith("deny by /tools/comments/deny_if/args.action-eq\n")
    assert "policy policy.json, revision " in out


def test_arguments_may_come_from_a_file(write, capsys: pytest.CaptureFixture[str]):
    """As JSON."""
    write("args.json", {"action": "remove"})
    explained = told(capsys, "comments", "--policy", "policy.json", "--args", "@args.json")
    assert explained["decision"]["verdict"] == "deny"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--args", "[1]"], "--args: the arguments of a call are an object"),
        (["--args", "{"], "--args:1:"),
        (["--args", "@none.json"], "none.json: cannot be read"),
    ],
)
def test_arguments_that_are_none_are_refused(write, capsys: pytest.CaptureFixture[str], arguments: Any, message: str):
    """With what would be right."""
    assert main(["explain", "comments", "--policy", "policy.json", *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_call_may_be_explained_as_approved_and_with_the_servers_schemas(write, capsys: pytest.CaptureFixture[str]):
    """And as a prompt or a resource."""
    write("policy.json", {**COMMENTS, "tools": {"t": {"action": "require_approval"}}})
    asked = told(capsys, "t", "--policy", "policy.json")
    assert (asked["decision"]["verdict"], asked["decision"]["rule"]) == ("pending", "/tools/t/action")
    assert told(capsys, "t", "--policy", "policy.json", "--approved")["decision"]["verdict"] == "allow"
    assert told(capsys, "t", "--policy", "policy.json", "--kind", "prompt")["kind"] == "prompt"


def test_a_check_by_the_server_needs_its_tools(write, capsys: pytest.CaptureFixture[str]):
    """Without them it is as while the server cannot be asked."""
    write("tools.json", [{"name": "checked", "inputSchema": {"required": ["a"]}}])
    unknown = told(capsys, "checked", "--policy", "policy.json")
    assert unknown["decision"]["rule"] == "(schema unavailable)"
    known = told(capsys, "checked", "--policy", "policy.json", "--tools", "tools.json")
    assert known["decision"]["rule"] == "/tools/checked/validate"


def test_counters_that_cannot_be_read_are_said_to_be_so(write, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Then it is as if nothing had been spent."""
    config = str(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"alice": SEED_POLICY, "bob": COMMENTS}))
    explained = told(capsys, "cancel_task", "--config", config, "--grant", "alice")
    assert explained["steps"][-1]["limit"]["remaining"] == 10
    (note,) = explained["notes"]
    assert "the counters cannot be read, so it is as if nothing had been spent" in note
    assert main(["explain", "cancel_task", "--config", config, "--grant", "alice"]) == 0
    assert f"note: {note}" in capsys.readouterr().out


def test_calls_in_flight_are_said_not_to_be_known(write, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Where a rule counts them."""
    config = str(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"bob": COMMENTS}))
    assert "calls in flight are not known" in told(capsys, "busy", "--config", config)["notes"][0]


def test_a_grant_is_named_unless_there_is_one(write, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One that is not there gets the nearest name."""
    config = str(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"alice": SEED_POLICY, "bob": None}))
    assert main(["explain", "t", "--config", config]) == 1
    assert "--grant: whose call?" in capsys.readouterr().err
    assert main(["explain", "t", "--config", config, "--grant", "alise"]) == 1
    assert "did you mean `alice`?" in capsys.readouterr().err
    assert told(capsys, "t", "--config", config, "--grant", "bob")["decision"]["rule"] == "(no policy)"


def test_a_tool_or_a_decision_is_named(capsys: pytest.CaptureFixture[str]):
    """One of them."""
    for arguments in ([], ["t", "--decision", "ab-1"]):
        assert main(["explain", *arguments]) == 1
        assert "name the TOOL that is called, or a --decision" in capsys.readouterr().err
