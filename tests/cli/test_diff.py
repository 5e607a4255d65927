"""`gateway diff`: two policies from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main

BEFORE: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {"comments": {"limits": [{"counter": "old", "window": "minute", "max": 10}]}, "get_*": {}},
}
AFTER: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {"comments": {"limits": [{"counter": "new", "window": "minute", "max": 5}]}, "get_b*": {}, "get_*": {}},
    "hide": ["get_binary_info"],
    "prompts": {"p": {}},
}


@pytest.fixture(autouse=True)
def policies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Work in a folder that has both."""
    monkeypatch.chdir(tmp_path)
    for name, value in (("a.json", BEFORE), ("b.json", AFTER)):
        Path(name).write_text(json.dumps(value))
        Path(name).chmod(0o600)


def test_changes_are_shown_in_a_table(capsys: pytest.CaptureFixture[str]):
    """With what is no more and what is new, and a warning for a renamed counter."""
    assert main(["diff", "a.json", "b.json"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NAME             BEFORE   AFTER",
        "comments         limited  limited",
        "    - limit: old: 10 a minute per grant",
        "    + limit: new: 5 a minute per grant",
        "get_binary_info  allowed  hidden",
        "prompt p         denied   allowed",
        "warning: the counter old seems to be called new now, which is another counter: its budget starts anew",
    ]


def test_the_servers_tools_may_be_named(capsys: pytest.CaptureFixture[str]):
    """Those of the catalogue, as JSON."""
    Path("b.json").write_text(json.dumps({**AFTER, "tools": {**AFTER["tools"], "get_c*": {"action": "deny"}}}))
    assert main(["diff", "a.json", "b.json", "--tools", "binassist", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    changed = {change["name"]: (change["kind"], change["after"]) for change in told["changes"]}
    assert changed["get_code"] == ("tool", "denied")
    assert told["renamed_counters"] == [{"before": "old", "after": "new"}]


def test_a_policy_beside_itself_changes_nothing(capsys: pytest.CaptureFixture[str]):
    """And says so."""
    assert main(["diff", "a.json", "a.json"]) == 0
    assert capsys.readouterr().out == "No call is judged otherwise.\n"


def test_any_other_name_has_a_line(capsys: pytest.CaptureFixture[str]):
    """For a changed default."""
    Path("b.json").write_text(json.dumps({**BEFORE, "default": "allow"}))
    assert main(["diff", "a.json", "b.json"]) == 0
    assert "(any other tool)      denied  allowed" in capsys.readouterr().out
