"""`gateway audit`, as it is called."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.audit.event import DecisionRecord, OutcomeRecord
from gateway.audit.journal import Journal
from gateway.audit.segment import KEY_NAME, OPEN_NAME
from gateway.cli.main import main
from gateway.clock import SystemClock
from gateway.store.keys import load_key
from tests.support.processes import CommandProcess


def decision(id: str, tool: str = "get_code", verdict: str = "allow") -> DecisionRecord:
    """A decision on a call."""
    return DecisionRecord(
        id, "2027-01-15T08:00:00.000000Z", "s", "alice", "p", "tools/call", verdict, "/t", target=tool
    )


def open_state(state: Path) -> Journal:
    """The journal of a state directory."""
    return Journal(state / "audit", load_key(state / KEY_NAME), SystemClock())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory with a few records, in two segments."""
    state = tmp_path / "state"
    journal = open_state(state)
    journal.append(decision("a-1"))
    journal.append(OutcomeRecord("a-1", "2027-01-15T08:00:01.000000Z", "completed"))
    journal.rotate()
    journal.append(decision("a-2", "patch", "deny"))
    journal.close()
    return state


def run(capsys: pytest.CaptureFixture[str], state: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and output of one command."""
    code = main(["audit", *arguments, "--state-dir", str(state)])
    return code, capsys.readouterr().out


def ids(output: str) -> list[str]:
    """Of the records in JSON lines, those that have one."""
    return [record["id"] for record in map(json.loads, output.splitlines()) if "id" in record]


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["tail"], ["a-1", "a-1", "a-2"]),
        (["tail", "-n", "1"], ["a-2"]),
        (["search"], ["a-1", "a-1", "a-2"]),
        (["search", "--verdict", "deny"], ["a-2"]),
        (["search", "--tool", "get_code", "--grant", "alice"], ["a-1"]),
        (["search", "--since", "2027-01-15T08:00:01Z"], ["a-1"]),
        (["search", "--until", "2027-01-15T09:00:01+01:00", "--rule", "/t", "-n", "1"], ["a-2"]),
        (["search", "--text", "PATCH"], ["a-2"]),
        (["show", "a-1"], ["a-1", "a-1"]),
        (["export", "--until", "2027-01-15T08:00:01Z", "--since", "2027-01-15T07:00:01Z"], ["a-1", "a-2"]),
    ],
)
def test_records_are_json_lines_where_nobody_looks(capsys, state: Path, arguments: list[str], found: list[str]):
    """Each command finds what it is asked for."""
    code, output = run(capsys, state, *arguments)
    assert (code, ids(output)) == (0, found)


def test_on_a_terminal_they_are_lines_for_people(capsys, state: Path, monkeypatch: pytest.MonkeyPatch):
    """In colour and in columns, unless JSON is asked for."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for arguments in (["tail"], ["search"], ["show", "a-2"]):
        output = run(capsys, state, *arguments)[1]
        assert "\x1b[31mdeny" in output
        assert "\x1b[" not in run(capsys, state, *arguments, "--json")[1]
    assert "decisions by verdict" in run(capsys, state, "stats")[1]


def test_nothing_found_is_exit_code_1(capsys, state: Path):
    """So that scripts can ask."""
    assert run(capsys, state, "search", "--grant", "nobody") == (1, "")
    assert run(capsys, state, "show", "no-such-id") == (1, "")


def test_stats(capsys, state: Path):
    """Of a span of time where one is asked for."""
    found = json.loads(run(capsys, state, "stats")[1])
    assert (found["verdict"], found["target"]) == ({"allow": 1, "deny": 1}, {"get_code": 1, "patch": 1})
    assert json.loads(run(capsys, state, "stats", "--until", "2020-01-01T00:00:00Z")[1])["verdict"] == {}


def test_exports(capsys, state: Path):
    """In each format."""
    assert run(capsys, state, "export", "--format", "csv")[1].splitlines()[0].startswith("seq,time,type,id")
    assert json.loads(run(capsys, state, "export", "--format", "ocsf")[1].splitlines()[0])["class_uid"] == 6003


def test_an_intact_journal_is_said_to_be(capsys, state: Path):
    """With how far it goes, and that without an anchor a cut tail would not be noticed."""
    code, output = run(capsys, state, "verify")
    assert (code, "intact: records 1 to 5 in 2 segments" in output, "no anchor" in output) == (0, True, True)


def test_tampering_is_named_with_its_record(capsys, state: Path):
    """Exit code 1, the number and the place."""
    path = state / "audit" / OPEN_NAME
    path.write_bytes(path.read_bytes().replace(b'"deny"', b'"none"'))
    code, output = run(capsys, state, "verify")
    assert (code, "NOT INTACT: first at record 5 (journal.jsonl:2)" in output) == (1, True)


def test_a_cut_tail_is_found_with_an_anchor(capsys, state: Path, tmp_path: Path):
    """One that was printed before, or the gateway's log; several may be given."""
    anchor = tmp_path / "anchor"
    anchor.write_text(run(capsys, state, "anchor")[1])
    log = tmp_path / "log"
    log.write_bytes(b"INFO audit checkpoint " + (state / "audit" / OPEN_NAME).read_bytes().splitlines()[0])
    anchors = ["--anchor", str(anchor), "--anchor", str(log)]
    code, output = run(capsys, state, "verify", *anchors)
    assert (code, "2 of 2 anchors met" in output) == (0, True)
    path = state / "audit" / OPEN_NAME
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert run(capsys, state, "verify")[0] == 0
    code, output = run(capsys, state, "verify", *anchors)
    assert (code, "first at record 5" in output, "has seen 5" in output) == (1, True, True)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["search", "--since", "yesterday"], "--since: .*not a duration"),
        (["search", "--until", "2027-13-01T00:00:00Z"], "--until: there is no such time"),
        (["verify", "--anchor", "/no/such/file"], "/no/such/file: No such file"),
        (["verify", "--anchor", __file__], "no checkpoint in it"),
    ],
)
def test_mistakes_are_named(state: Path, capsys, arguments: list[str], complaint: str):
    """With the option or the file."""
    assert main(["audit", *arguments, "--state-dir", str(state)]) == 1
    assert re.search(complaint, capsys.readouterr().err)


def test_without_a_journal_or_its_key_nothing_is_made_up(tmp_path: Path, capsys):
    """A wrong directory is said to be one, and no key is made by looking."""
    assert main(["audit", "tail", "--state-dir", str(tmp_path)]) == 1
    assert "no gateway has run here yet" in capsys.readouterr().err
    (tmp_path / "audit").mkdir()
    assert main(["audit", "verify", "--state-dir", str(tmp_path)]) == 1
    assert f"{KEY_NAME}: the key cannot be read" in capsys.readouterr().err
    assert not (tmp_path / KEY_NAME).exists()


async def test_tail_follows(state: Path):
    """What is written from then on is shown, over the end of a segment."""
    async with CommandProcess("audit", "tail", "-f", "--state-dir", str(state), ready='"a-2"') as tail:
        journal = open_state(state)
        journal.append(decision("b-1"))
        await tail.says('"b-1"')
        journal.append(decision("b-2"))
        journal.rotate()
        journal.append(decision("b-3"))
        journal.close()
        await tail.says('"b-3"')
    assert tail.output.count('"b-2"') == 1


def test_a_reader_that_has_enough_is_no_failure(state: Path):
    """As with `head`, which leaves long before the end."""
    journal = open_state(state)
    for number in range(3000):
        journal.append(decision(f"n-{number}"))
    journal.close()
    command = f"{sys.executable} -m gateway audit export --state-dir {state} | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
