"""The journal: whole lines only, one writer, and nothing vouched for that is not written."""

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.audit.event import OutcomeRecord
from gateway.audit.journal import FILE_NAME, Journal, JournalError
from gateway.errors import StateError


def record(id: str) -> OutcomeRecord:
    """Some record."""
    return OutcomeRecord(id, "2027-01-15T08:00:00.000000Z", "completed")


def ids_in(directory: Path) -> list[str]:
    """The ids of the lines in the journal, which must all be whole."""
    lines = (directory / FILE_NAME).read_bytes().splitlines(keepends=True)
    assert all(line.startswith(b'{"type":"outcome"') and line.endswith(b"}\n") for line in lines)
    return [line.split(b'"')[7].decode() for line in lines]


def failing(number: int) -> Callable[..., int]:
    """A system call that fails with this errno."""

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_record_is_in_the_file_when_append_returns(tmp_path: Path):
    """Each record is one line, at once readable by others, in the order of the appends."""
    journal = Journal(tmp_path / "state" / "audit")
    for number in range(3):
        journal.append(record(f"x-{number}"))
        assert ids_in(tmp_path / "state" / "audit")[-1] == f"x-{number}"
    journal.close()
    assert ids_in(tmp_path / "state" / "audit") == ["x-0", "x-1", "x-2"]


def test_a_record_is_written_by_one_system_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A killed gateway leaves a whole line or none, because the kernel gets it in one piece."""
    journal = Journal(tmp_path)
    calls: list[bytes] = []

    def write(_: int, line: bytes) -> int:
        calls.append(line)
        return len(line)

    monkeypatch.setattr(os, "write", write)
    journal.append(record("x-1"))
    monkeypatch.undo()
    journal.close()
    (line,) = calls
    assert line.index(b"\n") == len(line) - 1


def test_a_journal_is_continued_after_a_restart(tmp_path: Path):
    """Opening it again keeps every line."""
    for id in ("first", "second"):
        journal = Journal(tmp_path)
        journal.append(record(id))
        journal.close()
    assert ids_in(tmp_path) == ["first", "second"]


def test_only_its_user_can_read_it(tmp_path: Path):
    """The directory and the file are made for their user alone."""
    Journal(tmp_path / "audit").close()
    assert (tmp_path / "audit").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "audit" / FILE_NAME).stat().st_mode & 0o777 == 0o600


def test_a_second_writer_is_refused(tmp_path: Path):
    """Two gateways do not share a journal; when the first is gone, its place is free."""
    first = Journal(tmp_path)
    with pytest.raises(StateError, match="in use by another gateway"):
        Journal(tmp_path)
    first.append(record("still mine"))
    first.close()
    Journal(tmp_path).close()


def test_a_killed_writer_leaves_its_lines_and_no_lock(tmp_path: Path):
    """What was appended before a SIGKILL is there, and the next gateway can write."""
    program = (
        "import os, signal, sys; from pathlib import Path\n"
        "from gateway.audit.event import OutcomeRecord; from gateway.audit.journal import Journal\n"
        "Journal(Path(sys.argv[1])).append(OutcomeRecord('x-1', 'now', 'completed'))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, tmp_path], check=False).returncode == -9
    journal = Journal(tmp_path)
    journal.append(record("x-2"))
    journal.close()
    assert ids_in(tmp_path) == ["x-1", "x-2"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_write_that_fails_is_an_error_and_leaves_no_trace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    """A full or broken disk is reported for each record, and the journal works again when it does."""
    journal = Journal(tmp_path)
    journal.append(record("before"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(number))
        with pytest.raises(JournalError, match=os.strerror(number)):
            journal.append(record("lost"))
    journal.append(record("after"))
    journal.close()
    assert ids_in(tmp_path) == ["before", "after"]


@pytest.mark.parametrize("length", [0, 1, 40])
def test_a_short_write_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int):
    """A disk that takes only part of a line gets it cut off again: no part of a record is left."""
    journal = Journal(tmp_path)
    journal.append(record("before"))
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, line: write(file, line[:length]))
        with pytest.raises(JournalError, match="whole line"):
            journal.append(record("lost"))
    journal.append(record("after"))
    journal.close()
    assert ids_in(tmp_path) == ["before", "after"]


def test_a_short_write_on_a_dying_disk_is_still_a_journal_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Even where the part cannot be cut off, the caller learns that the record is not there."""
    journal = Journal(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda _, line: len(line) - 1)
        patched.setattr(os, "ftruncate", failing(errno.EIO))
        with pytest.raises(JournalError, match=os.strerror(errno.EIO)):
            journal.append(record("lost"))
    journal.close()


def test_a_torn_last_line_stays_apart(tmp_path: Path):
    """What a crash of the machine cut short is neither lost nor glued to the next record."""
    (tmp_path / FILE_NAME).write_bytes(b'{"type":"outcome","id":"whole"}\n{"type":"outc')
    journal = Journal(tmp_path)
    journal.append(record("next"))
    journal.close()
    whole, torn, following = (tmp_path / FILE_NAME).read_bytes().splitlines()
    assert (whole, torn) == (b'{"type":"outcome","id":"whole"}', b'{"type":"outc')
    assert b'"next"' in following


def test_a_short_write_after_a_torn_line_cuts_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The place to cut back to is behind everything that was there at the start."""
    (tmp_path / FILE_NAME).write_bytes(b"torn")
    journal = Journal(tmp_path)
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, line: write(file, line[:5]))
        with pytest.raises(JournalError):
            journal.append(record("lost"))
    journal.close()
    assert (tmp_path / FILE_NAME).read_bytes() == b"torn\n"


def test_a_disk_that_is_full_at_the_start_is_a_state_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A journal whose torn line cannot be ended is not opened, and not kept locked either."""
    (tmp_path / FILE_NAME).write_bytes(b"torn")
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing(errno.ENOSPC))
        with pytest.raises(StateError, match=f"{FILE_NAME}.*No space left"):
            Journal(tmp_path)
    Journal(tmp_path).close()


def test_a_link_is_not_followed(tmp_path: Path):
    """A link planted in the place of the journal does not get its target written."""
    (tmp_path / FILE_NAME).symlink_to(tmp_path / "target")
    with pytest.raises(StateError, match="cannot be opened"):
        Journal(tmp_path)
    assert not (tmp_path / "target").exists()


def test_a_place_that_cannot_be_a_directory_is_refused(tmp_path: Path):
    """The error names the file that was wanted."""
    (tmp_path / "audit").write_text("")
    with pytest.raises(StateError, match=FILE_NAME):
        Journal(tmp_path / "audit")
