"""`gateway replay`: a journal judged by a draft, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.main import main

JOURNAL: list[dict[str, Any]] = [
    {"id": "1", "time": "2027-01-15T08:00:00.000000Z", "target": "comments", "kept": {"args.action": "remove"}},
    {"id": "2", "time": "2027-01-15T08:00:01.000000Z", "target": "comments"},
    {"id": "3", "time": "2027-01-15T08:00:02.000000Z", "target": "get_code", "grant": "bob"},
    {"id": "4", "time": "2027-01-15T09:00:00.000000Z", "target": "rename", "policy": "other"},
]
DRAFT = """\
version: "1"
default: deny
tools:
  comments: {deny_if: [{conditions: [{path: args.action, op: eq, value: remove}]}]}
  get_code: {}
"""


@pytest.fixture(autouse=True)
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Work in a folder with a journal and a draft."""
    monkeypatch.chdir(tmp_path)
    common = {"type": "decision", "server": "s", "grant": "alice", "peer": "", "method": "tools/call", "mac": ""}
    decided = {"verdict": "allow", "rule": "/tools/x", "policy": "p", "argument_keys": ["action"]}
    lines = [json.dumps({"seq": number, **common, **decided, **record}) for number, record in enumerate(JOURNAL, 1)]
    Path("audit").mkdir()
    Path("audit/journal.jsonl").write_text("\n".join(lines) + "\n")
    Path("draft.yaml").write_text(DRAFT)
    Path("draft.yaml").chmod(0o600)


def replay(*arguments: str) -> int:
    """The exit code of a replay of the whole journal."""
    return main(
        ["replay", "--policy", "draft.yaml", "--journal", "audit", "--since", "2027-01-01T00:00:00Z", *arguments]
    )


def test_what_would_change_is_shown(capsys: pytest.CaptureFixture[str]):
    """Call by call, and in sums."""
    assert replay() == 0
    assert [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()] == [
        "TIME GRANT TARGET THEN NOW RULE",
        "2027-01-15T08:00:00Z alice comments allow deny /tools/comments/deny_if/args.action-eq",
        "2027-01-15T08:00:01Z alice comments allow undecidable not known: args.action",
        "2027-01-15T09:00:00Z alice rename allow deny (default deny)",
        "",
        "by rule: /tools/comments/deny_if/args.action-eq 1, undecidable 1, (default deny) 1",
        "by grant: alice 3",
        "by target: comments 2, rename 1",
        "4 calls judged: 1 the same, 2 changed, 1 undecidable",
    ]


def test_programs_get_the_same(capsys: pytest.CaptureFixture[str]):
    """As JSON."""
    assert replay("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert {name: told[name] for name in ("judged", "same", "changed", "undecidable")} == {
        "judged": 4,
        "same": 1,
        "changed": 2,
        "undecidable": 1,
    }
    first, second, _ = told["calls"]
    assert (first["id"], first["then"]["verdict"], first["now"]["verdict"]) == ("1", "allow", "deny")
    assert (second["now"], second["unknown"]) == (None, ["args.action"])
    assert told["sums"]["target"] == {"comments": 2, "rename": 1}


def test_the_calls_of_one_policy_may_be_asked_for(capsys: pytest.CaptureFixture[str]):
    """Or those since a time."""
    assert replay("--replaces", "p") == 0
    assert capsys.readouterr().out.endswith("3 calls judged: 1 the same, 1 changed, 1 undecidable\n")
    assert replay("--since", "2027-01-15T08:00:02Z", "--replaces", "p") == 0
    assert capsys.readouterr().out == "1 calls judged: 1 the same, 0 changed, 0 undecidable\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "yesterday"], '--since: "yesterday" is not a time'),
        (["--journal", "none"], "none: there is no journal"),
        (["--policy", "none.yaml"], "none.yaml: does not exist"),
    ],
)
def test_what_cannot_be_read_is_said(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    """With what would be right."""
    assert replay(*arguments) == 1
    assert message in capsys.readouterr().err
