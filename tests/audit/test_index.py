"""The view: finds what is in the journal, follows it, and can be thrown away."""

import os
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.audit.event import ApprovalRecord, AuditRecord, DecisionRecord, OutcomeRecord
from gateway.audit.index import FILE_NAME, Index, Question
from gateway.audit.retention import compress_closed
from gateway.audit.segment import OPEN_NAME, closed_segments
from gateway.errors import StateError
from tests.support.journals import open_journal


def decision(id: str, second: int = 0, **fields: Any) -> DecisionRecord:
    """A decision of some second."""
    known: dict[str, Any] = {
        "server": "s",
        "grant": "alice",
        "peer": "p",
        "method": "tools/call",
        "verdict": "allow",
        "rule": "/t",
    }
    return DecisionRecord(id=id, time=f"2027-01-15T08:00:{second:02d}.000000Z", **(known | fields))


RECORDS: list[AuditRecord] = [
    decision("a", 1, target="get_code"),
    OutcomeRecord("a", "2027-01-15T08:00:02.000000Z", "completed"),
    decision("b", 3, target="patch", verdict="deny", rule="/tools/patch/deny_if/x", message="Nicht erlaubt: É"),
    decision("c", 4, target="patch", grant="bob", verdict="throttle", rule="/tools/patch/limits/c"),
    decision("d", 5, target="patch", verdict="pending", rule="/tools/patch/action", approval="ap-1"),
    ApprovalRecord(
        id="ap-1",
        time="2027-01-15T08:00:06.000000Z",
        event="approved",
        server="s",
        grant="alice",
        target="patch",
        rule="r",
        policy="p",
        revision="v",
        exchange="d",
        expires="later",
        call_sha256="00",
        approver="zoe",
    ),
]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A journal of these records."""
    journal = open_journal(tmp_path)
    for record in RECORDS:
        journal.append(record)
    journal.close()
    return tmp_path


def found(directory: Path, **question: object) -> list[str]:
    """Type and id of what a question finds, but for the journal's own records."""
    index = Index.open(directory)
    records = [msgspec.json.decode(line) for line in index.search(Question(**question))]  # type: ignore[arg-type]
    index.close()
    return [f"{record['type'][0]}:{record['id']}" for record in records if "id" in record]


@pytest.mark.parametrize(
    ("question", "ids"),
    [
        ({}, ["d:a", "o:a", "d:b", "d:c", "d:d", "a:ap-1"]),
        ({"since": "2027-01-15T08:00:03.000000Z", "until": "2027-01-15T08:00:05.000000Z"}, ["d:b", "d:c"]),
        ({"grant": "bob"}, ["d:c"]),
        ({"tool": "get_code"}, ["d:a"]),
        ({"verdict": "deny"}, ["d:b"]),
        ({"rule": "/limits/"}, ["d:c"]),
        ({"id": "a"}, ["d:a", "o:a"]),
        ({"id": "ap-1"}, ["d:d", "a:ap-1"]),
        ({"id": "d"}, ["d:d", "a:ap-1"]),
        ({"text": "nicht ERLAUBT"}, ["d:b"]),
        ({"text": "%"}, []),
        ({"grant": "alice", "verdict": "throttle"}, []),
        ({"grant": "' OR 1 --"}, []),
        ({"most": 2}, ["d:d", "a:ap-1"]),
    ],
)
def test_questions(directory: Path, question: dict[str, object], ids: list[str]):
    """Each field narrows; ids bring what refers to them; the newest are kept, oldest first."""
    assert found(directory, **question) == ids


def test_counts(directory: Path):
    """Decisions by what they have in common, most first."""
    index = Index.open(directory)
    assert index.count("grant", Question()) == [("alice", 3), ("bob", 1)]
    assert index.count("verdict", Question(tool="patch")) == [("deny", 1), ("pending", 1), ("throttle", 1)]
    assert index.span() == (7, "2027-01-15T08:00:00.000000Z", "2027-01-15T08:00:06.000000Z")
    with pytest.raises(ValueError, match="line"):
        index.count("line", Question())
    index.close()


def test_it_follows_the_journal(directory: Path):
    """Over restarts, rotations and compression, each record once, and no part of a line."""
    for number in range(4):
        journal = open_journal(directory)
        journal.append(decision(f"e{number}"))
        if number % 2:
            journal.rotate()
            compress_closed(directory)
        journal.close()
        assert found(directory, since="2027-01-15T08:00:00.000000Z")[len(RECORDS) :] == [
            f"d:e{n}" for n in range(number + 1)
        ]
    with (directory / OPEN_NAME).open("ab") as file:
        file.write(b'{"type":"decision","id":"torn"')
    assert "d:torn" not in found(directory)


def test_it_reads_only_what_is_new(directory: Path, monkeypatch: pytest.MonkeyPatch):
    """A second question of an unchanged journal takes in nothing."""
    found(directory)
    taken = []
    monkeypatch.setattr("gateway.audit.index._row", lambda record, line: taken.append(record))
    assert len(found(directory)) == len(RECORDS)
    assert taken == []


def test_what_retention_has_removed_is_not_found(directory: Path):
    """The view holds no more than the journal does."""
    journal = open_journal(directory)
    journal.rotate()
    journal.append(decision("z"))
    journal.close()
    assert len(found(directory)) == len(RECORDS) + 1
    closed_segments(directory)[0].path.unlink()
    assert found(directory) == ["d:z"]


@pytest.mark.parametrize("damage", ["garbage", "other layout", "other journal"])
def test_a_view_that_does_not_fit_is_made_anew(directory: Path, damage: str):
    """Whatever is wrong with its file, the answers are those of the journal."""
    before = found(directory)
    path = directory / FILE_NAME
    if damage == "garbage":
        path.write_bytes(b"garbage" * 1000)
    elif damage == "other layout":
        with sqlite3.connect(path) as connection:
            connection.executescript("DROP TABLE records; CREATE TABLE records(x); PRAGMA user_version = 99")
        connection.close()
    else:
        (directory / OPEN_NAME).unlink()
        journal = open_journal(directory)
        for _ in RECORDS:
            journal.append(decision("other"))
        journal.close()
        before = ["d:other"] * len(RECORDS)
    assert found(directory) == before


def test_only_its_user_can_read_it(directory: Path):
    """It holds what the journal holds."""
    found(directory)
    assert (directory / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_without_a_place_to_write_it_is_kept_in_memory(directory: Path, monkeypatch: pytest.MonkeyPatch):
    """An auditor who may only read gets the same answers."""

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    assert len(found(directory)) == len(RECORDS)
    assert not (directory / FILE_NAME).exists()


def test_one_that_is_in_use_for_too_long_is_said_to_be(directory: Path, monkeypatch: pytest.MonkeyPatch):
    """Two commands at once wait for each other, but not for ever."""
    found(directory)
    monkeypatch.setattr("gateway.audit.index._BUSY_S", 0.01)
    holder = sqlite3.connect(directory / FILE_NAME, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateError, match="in use by another command"):
        Index.open(directory)
    holder.close()
