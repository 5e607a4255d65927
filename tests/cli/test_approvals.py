"""`gateway approvals`: a person sees the whole call before deciding, and decides on the state directory itself."""

import getpass
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.clock import SystemClock
from gateway.store.approval import Approval, ExactCall, State
from gateway.store.approvals import Approvals
from gateway.store.database import Database
from tests.support.approvals import CALL, LIFETIME_NS, open_approvals, with_arguments


@pytest.fixture
def approvals(tmp_path: Path) -> Iterator[Approvals]:
    """What the gateway of this directory keeps."""
    database, approvals = open_approvals(tmp_path)
    yield approvals
    database.close()


def ask(approvals: Approvals, call: ExactCall = CALL, *, age_s: int = 0) -> Approval:
    """Asked by an agent, `age_s` ago."""
    approval, _ = approvals.ask(
        call,
        policy="strict",
        rule="/tools/delete_all/action",
        exchange="ab-1",
        now_ns=SystemClock().wall_ns() - age_s * 1_000_000_000,
        lifetime_ns=LIFETIME_NS,
        most=20,
    )
    return approval


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Runs the command on the directory; what it prints, or for a failure the error."""

    def run(*arguments: str, code: int = 0) -> str:
        assert main(["approvals", *arguments, "--state-dir", str(tmp_path)]) == code
        out, err = capsys.readouterr()
        return err if code else out

    return run


def test_the_list_shows_what_waits(approvals: Approvals, run):
    """Who asks for what, since when and until when; names are clipped and cannot hide anything."""
    assert run("list") == "No approvals are pending.\n"
    assert run("list", "--state", "any") == "No approvals.\n"
    first = ask(approvals)
    second = ask(approvals, ExactCall.of("bob", "binassist", "t\u202e" + "x" * 60, {}, "r"))
    head, *rows = run("list").splitlines()
    assert head.split() == ["ID", "STATE", "GRANT", "SERVER", "TOOL", "ASKED", "EXPIRES"]
    assert [row.split()[0] for row in rows] == [second.id, first.id]
    assert rows[0].split()[4] == r"t\u{202e}" + "x" * 30 + "…"
    assert rows[1].split()[1:5] == ["pending", "alice", "binassist", "delete_all"]
    assert json.loads(run("list", "--json")) == [second.to_json(), first.to_json()]


def test_the_list_is_of_one_state(approvals: Approvals, run):
    """By default what is pending; what nobody decided in time is expired."""
    ask(approvals, age_s=601)
    assert run("list") == "No approvals are pending.\n"
    assert "expired" in run("list", "--state", "expired")
    assert "expired" in run("list", "--state", "any")


def test_the_whole_call_is_shown(approvals: Approvals, run):
    """Everything a person has to know, the arguments in full, and nothing that hides."""
    call = with_arguments(path="/etc\u202e\n", note="a\\u{202e}", list=[1, {"deep": None}])
    approval = ask(approvals, call)
    head, _, body = run("show", approval.id[:6]).partition("\n\n")
    assert dict(line.split(maxsplit=1) for line in head.splitlines()) == {
        "approval": approval.id,
        "state": "pending",
        "grant": "alice",
        "server": "binassist",
        "tool": "delete_all",
        "policy": "strict, revision r1",
        "rule": "/tools/delete_all/action",
        "asked": approval.to_json()["asked"] + ", audit record ab-1",
        "expires": approval.to_json()["expires"],
        "arguments": f"3 named, {len(call.arguments.encode())} bytes, "
        r"1 misleading or invisible characters shown as \u{…}",
    }
    assert body.splitlines() == [
        "{",
        '  "list": [',
        "    1,",
        "    {",
        '      "deep": null',
        "    }",
        "  ],",
        # What only looks like one of our marks has its backslash doubled.
        r'  "note": "a\\u{202e}",',
        r'  "path": "/etc\u{202e}\n"',
        "}",
    ]


def test_plain_arguments_raise_no_alarm(approvals: Approvals, run):
    """The remark on misleading characters is there only if there are some."""
    assert "misleading" not in run("show", ask(approvals).id)


@pytest.mark.parametrize(("action", "state"), [("approve", State.APPROVED), ("deny", State.DENIED)])
def test_a_decision_is_recorded_with_its_maker(approvals: Approvals, run, action: str, state: State):
    """Who decides is the system's user, or whom `--as` names."""
    approval = ask(approvals)
    said = run(action, approval.id, "--reason", " looked at it ", "--as", "Zoë")
    assert said.startswith(f"{approval.id} is {state} by Zoë: delete_all of alice on binassist ")
    decided = approvals.find(approval.id, SystemClock().wall_ns())
    assert (decided.state, decided.approver, decided.reason) == (state, "Zoë", "looked at it")
    assert f"state      {state} by Zoë: looked at it" in run("show", approval.id)
    other = ask(approvals, with_arguments(x=1))
    assert json.loads(run(action, other.id, "--json"))["approver"] == getpass.getuser()


def test_what_cannot_be_decided_is_told(approvals: Approvals, run):
    """A wrong id, a second decision, one that is too late, and a name that cannot be shown change nothing."""
    approval, late = ask(approvals), ask(approvals, with_arguments(x=1), age_s=601)
    assert run("approve", "000000", code=1).startswith("No approval has an id that begins with 000000")
    assert run("approve", "x", code=1).startswith("An approval's id is at least 6")
    assert "the agent has to ask again" in run("approve", late.id, code=1)
    assert run("approve", approval.id, "--as", "a\nb", code=1).startswith("--as: must be 1 to 64 printable")
    assert run("approve", approval.id, "--reason", "x" * 501, code=1).startswith("--reason: longer than 500")
    assert approvals.find(approval.id, SystemClock().wall_ns()).state is State.PENDING
    run("deny", approval.id, "--as", "zoe")
    assert run("approve", approval.id, code=1) == f"{approval.id} is denied by zoe already; nothing was changed.\n"


def test_a_user_without_a_name_has_to_say_who_decides(approvals: Approvals, run, monkeypatch: pytest.MonkeyPatch):
    """No decision is anonymous."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 2**31 - 5)
    assert run("approve", ask(approvals).id, code=1).startswith("--as: the system has no name for this user")


def test_the_configuration_leads_to_the_state_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """By default that is gateway.yaml; where no gateway has run, nothing is made."""
    (tmp_path / "gateway.yaml").write_text("servers: {b: {url: http://h}}\n")
    (tmp_path / "gateway.yaml").chmod(0o600)
    named = ["approvals", "list", "--config", str(tmp_path / "gateway.yaml")]
    assert main(named) == 1
    assert "state/gateway.db: no gateway has run here yet" in capsys.readouterr().err
    assert not (tmp_path / "state").exists()
    (tmp_path / "state").mkdir()
    Database.open(tmp_path / "state" / "gateway.db").close()
    assert main(named) == 0
    assert capsys.readouterr().out == "No approvals are pending.\n"
