"""The journal: one writer, a chain that never breaks, and nothing vouched for that is not written."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.event import OutcomeRecord, StartRecord
from gateway.audit.journal import Journal, JournalError
from gateway.audit.segment import OPEN_NAME, closed_segments, compress
from gateway.audit.verify import verify
from gateway.clock import ManualClock
from gateway.errors import StateError
from tests.support.journals import KEY, of_type, open_journal, seal, told


def record(id: str) -> OutcomeRecord:
    """Some record."""
    return OutcomeRecord(id, "2027-01-15T08:00:00.000000Z", "completed")


def ids_in(directory: Path) -> list[str]:
    """The ids of the records, of a journal that must be intact."""
    report = verify(directory, seal())
    assert report.flaw is None
    return [record["id"] for record in told(directory)]


def failing(number: int) -> Callable[..., int]:
    """A system call that fails with this errno."""

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_record_is_in_the_file_when_append_returns(tmp_path: Path):
    """Each record is one line, at once readable by others, in the order of the appends."""
    directory = tmp_path / "state" / "audit"
    journal = open_journal(directory)
    for number in range(3):
        journal.append(record(f"x-{number}"))
        assert ids_in(directory)[-1] == f"x-{number}"
    journal.close()
    assert ids_in(directory) == ["x-0", "x-1", "x-2"]


def test_the_chain_goes_on_after_a_restart_and_over_segments(tmp_path: Path):
    """Numbers and MACs are continued, whether the journal was closed, killed, or between two segments."""
    for start in range(3):
        journal = open_journal(tmp_path)
        journal.append(record(f"a-{start}"))
        journal.rotate()
        journal.append(record(f"b-{start}"))
        journal.close()
    report = verify(tmp_path, seal())
    assert (report.is_intact, report.first, report.segments) == (True, 1, 4)
    assert ids_in(tmp_path) == ["a-0", "b-0", "a-1", "b-1", "a-2", "b-2"]


@pytest.mark.parametrize("is_compressed", [False, True])
def test_a_journal_whose_open_segment_is_gone_is_continued_from_the_closed_one(tmp_path: Path, is_compressed: bool):
    """As after a crash between closing one segment and beginning the next."""
    journal = open_journal(tmp_path)
    journal.append(record("x-1"))
    journal.rotate()
    journal.close()
    (tmp_path / OPEN_NAME).unlink()
    if is_compressed:
        compress(closed_segments(tmp_path)[0].path)
    journal = open_journal(tmp_path)
    journal.append(record("x-2"))
    journal.close()
    assert ids_in(tmp_path) == ["x-1", "x-2"]


def test_only_its_user_can_read_it(tmp_path: Path):
    """The directory and every file in it are made for their user alone."""
    journal = open_journal(tmp_path / "audit")
    journal.rotate()
    journal.close()
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "audit").iterdir()} == {0o600}


def test_a_second_writer_is_refused(tmp_path: Path):
    """Two gateways do not share a journal; when the first is gone, its place is free."""
    first = open_journal(tmp_path)
    with pytest.raises(StateError, match="in use by another gateway"):
        open_journal(tmp_path)
    first.append(record("still mine"))
    first.close()
    open_journal(tmp_path).close()


def test_a_killed_writer_leaves_its_lines_and_no_lock(tmp_path: Path):
    """What was appended before a SIGKILL is there, and the next gateway can write."""
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from gateway.audit.event import OutcomeRecord; from gateway.audit.journal import Journal\n"
        "from gateway.clock import ManualClock\n"
        "journal = Journal(Path(sys.argv[1]), b'k' * 32, ManualClock())\n"
        "journal.append(OutcomeRecord('x-1', '2027-01-15T08:00:00.000000Z', 'completed'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, tmp_path], check=False).returncode == -9
    journal = open_journal(tmp_path)
    journal.append(record("x-2"))
    journal.close()
    assert ids_in(tmp_path) == ["x-1", "x-2"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_write_that_fails_is_an_error_and_leaves_only_a_gap_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    """A full or broken disk is reported for each record; the first record after it says how many are not there."""
    journal = open_journal(tmp_path)
    journal.append(record("before"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(number))
        for _ in range(3):
            with pytest.raises(JournalError, match=os.strerror(number)):
                journal.append(record("lost"))
            assert not journal.is_healthy
    journal.append(record("after"))
    assert journal.is_healthy
    journal.close()
    assert ids_in(tmp_path) == ["before", "after"]
    (gap,) = of_type(tmp_path, "gap")
    assert (gap["lost"], gap["cause"]) == (3, os.strerror(number))


def test_a_failure_is_logged_once_and_its_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A thousand refused calls on a full disk are not a thousand lines."""
    journal = open_journal(tmp_path)
    caplog.clear()
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(errno.ENOSPC))
        for _ in range(1000):
            with pytest.raises(JournalError):
                journal.append(record("lost"))
    journal.append(record("after"))
    journal.close()
    assert [entry.levelname for entry in caplog.records] == ["ERROR", "WARNING"]
    assert "1000 records were not" in caplog.text


def test_a_checkpoint_is_how_a_failed_journal_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without a call to record, it becomes healthy when the disk is."""
    journal = open_journal(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(errno.ENOSPC))
        with pytest.raises(JournalError):
            journal.append(record("lost"))
        with pytest.raises(JournalError):
            journal.checkpoint()
    journal.checkpoint()
    assert journal.is_healthy
    journal.close()
    assert ids_in(tmp_path) == []
    assert of_type(tmp_path, "gap")[0]["lost"] == 1


def test_a_sync_that_failed_is_not_trusted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What people decide is refused where it may not reach the disk, and what follows goes to another file."""
    journal = open_journal(tmp_path)
    start = StartRecord("2027-01-15T08:00:00.000000Z", "1", "python", ("s",), ("g",))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", failing(errno.EIO))
        with pytest.raises(JournalError, match=os.strerror(errno.EIO)):
            journal.append(start)
        assert not journal.is_healthy
        with pytest.raises(JournalError):
            journal.append(record("lost"))
    journal.append(record("after"))
    journal.close()
    assert ids_in(tmp_path) == ["after"]
    assert len(closed_segments(tmp_path)) == 1


def test_only_what_matters_waits_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A start is synced before `append` returns, the outcome of a call is not."""
    synced: list[int] = []
    journal = open_journal(tmp_path)
    monkeypatch.setattr(os, "fdatasync", synced.append)
    journal.append(record("x"))
    assert (synced, journal.is_synced) == ([], False)
    journal.append(StartRecord("2027-01-15T08:00:00.000000Z", "1", "python", (), ()))
    assert (len(synced), journal.is_synced) == (1, True)
    journal.close()


@pytest.mark.parametrize("torn", [b'{"type":"outc', b"\0" * 100, b'{"type":"x"}\0\0\n{"type":"y"}\n{"t'])
def test_a_torn_end_is_set_aside_and_reported(tmp_path: Path, torn: bytes, caplog: pytest.LogCaptureFixture):
    """What a crash of the machine left behind the last whole line is kept in a file beside, byte for byte."""
    journal = open_journal(tmp_path)
    journal.append(record("whole"))
    journal.close()
    with (tmp_path / OPEN_NAME).open("ab") as file:
        file.write(torn)
    journal = open_journal(tmp_path)
    journal.append(record("next"))
    journal.close()
    assert ids_in(tmp_path) == ["whole", "next"]
    (told_of,) = of_type(tmp_path, "torn")
    assert told_of["torn_bytes"] == len(torn)
    assert (tmp_path / told_of["file"]).read_bytes() == torn
    assert told_of["file"] in caplog.text
    assert [note for note in verify(tmp_path, seal()).notes if told_of["file"] in note]


def test_a_first_line_that_is_torn_is_set_aside_too(tmp_path: Path):
    """A journal that never had a whole line begins with its first."""
    (tmp_path / OPEN_NAME).write_bytes(b'{"type":"checkp')
    journal = open_journal(tmp_path)
    journal.append(record("x"))
    journal.close()
    assert ids_in(tmp_path) == ["x"]
    assert len(of_type(tmp_path, "torn")) == 1


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: [*lines[:-1], lines[-1].replace(b"completed", b"cancelled")],
        lambda lines: [*lines[:-2], lines[-1]],
        lambda lines: [*lines, b'{"type":"outcome","id":"forged"}\n'],
        lambda lines: [*lines, lines[-1]],
    ],
    ids=["edited", "cut out", "added", "doubled"],
)
def test_a_forged_end_is_not_continued(tmp_path: Path, spoil: Callable[[list[bytes]], list[bytes]]):
    """A gateway does not put its MAC behind a record that is not its own; it says so and does not start."""
    journal = open_journal(tmp_path)
    for number in range(3):
        journal.append(record(f"x-{number}"))
    journal.close()
    path = tmp_path / OPEN_NAME
    path.write_bytes(b"".join(spoil(path.read_bytes().splitlines(keepends=True))))
    before = path.read_bytes()
    with pytest.raises(StateError, match="last record was altered, or written with another key"):
        open_journal(tmp_path)
    assert path.read_bytes() == before
    # The lock is free again.
    path.unlink()
    open_journal(tmp_path).close()


def test_another_key_does_not_continue_a_journal(tmp_path: Path):
    """A lost key is noticed at the start, not by the next investigator."""
    open_journal(tmp_path).close()
    with pytest.raises(StateError, match="another key"):
        Journal(tmp_path, b"x" * 32, ManualClock())
    Journal(tmp_path, KEY, ManualClock()).close()


@pytest.mark.parametrize("act", ["unlink", "rename", "replace"])
def test_a_segment_that_is_taken_away_is_replaced_and_that_is_recorded(tmp_path: Path, act: str):
    """The records go on in a new segment that says what happened; a file in its place is moved, not written to."""
    journal = open_journal(tmp_path)
    journal.append(record("before"))
    path = tmp_path / OPEN_NAME
    path.rename(tmp_path / "stolen")
    if act == "replace":
        path.write_bytes(b"not ours\n")
    cause = journal.displacement()
    assert cause
    journal.replace(cause)
    journal.append(record("after"))
    assert journal.displacement() == ""
    journal.close()
    (displaced,) = of_type(tmp_path, "displaced")
    assert displaced["cause"] == cause
    assert bool(displaced["file"]) == (act == "replace")
    if act == "replace":
        assert (tmp_path / displaced["file"]).read_bytes() == b"not ours\n"
    # The stolen records are missed, and are all there is to miss.
    assert verify(tmp_path, seal()).flaw.seq == 1
    (tmp_path / "stolen").rename(tmp_path / "journal-000000000001.jsonl")
    assert ids_in(tmp_path) == ["before", "after"]


@pytest.mark.parametrize("call", ["rename", "fdatasync", "open"])
def test_a_rotation_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str):
    """The open segment stays open, and the next record goes where the last one went."""
    journal = open_journal(tmp_path)
    journal.append(record("before"))
    with monkeypatch.context() as patched:
        patched.setattr(Path if call == "rename" else os, call, failing(errno.ENOSPC))
        with pytest.raises(OSError, match="No space"):
            journal.rotate()
    journal.append(record("after"))
    journal.close()
    assert ids_in(tmp_path) == ["before", "after"]


def test_a_disk_that_is_full_at_the_start_is_a_state_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A journal that cannot be begun is not opened, and not kept locked either."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(errno.ENOSPC))
        with pytest.raises(StateError, match=f"{OPEN_NAME}.*No space left"):
            open_journal(tmp_path)
    open_journal(tmp_path).close()


def test_a_place_that_cannot_be_a_directory_is_refused(tmp_path: Path):
    """The error names the file that was wanted."""
    (tmp_path / "audit").write_text("")
    with pytest.raises(StateError, match=OPEN_NAME):
        open_journal(tmp_path / "audit")


def test_checkpoints_are_told_to_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    """What a log that leaves the machine needs to hold as an anchor."""
    caplog.set_level("INFO", "gateway.audit")
    journal = open_journal(tmp_path)
    journal.append(record("x"))
    assert journal.since_checkpoint == 1
    journal.checkpoint()
    assert journal.since_checkpoint == 0
    journal.close()
    lines: list[Any] = [entry.getMessage() for entry in caplog.records]
    assert [line for line in lines if '"type":"checkpoint"' in line and '"count":2' in line]
