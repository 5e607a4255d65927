"""Reading records, all of them and on and on."""

from pathlib import Path

from gateway.audit import reader
from gateway.audit.event import OutcomeRecord
from gateway.audit.retention import compress_closed
from gateway.audit.segment import OPEN_NAME
from tests.support.journals import open_journal


def outcome(id: str, second: int = 0) -> OutcomeRecord:
    """A record of some second."""
    return OutcomeRecord(id, f"2027-01-15T08:00:{second:02d}.000000Z", "completed")


def ids(records) -> list[str]:
    """Of the outcomes among them."""
    return [record["id"] for record in records if record["type"] == "outcome"]


def test_records_come_in_order_over_all_segments(tmp_path: Path):
    """Plain, compressed and open; with number and MAC."""
    journal = open_journal(tmp_path)
    for number in range(3):
        journal.append(outcome(f"x-{number}"))
        journal.rotate()
    compress_closed(tmp_path)
    journal.append(outcome("x-3"))
    found = list(reader.records(tmp_path))
    journal.close()
    assert ids(found) == ["x-0", "x-1", "x-2", "x-3"]
    assert [record["seq"] for record in found] == list(range(1, len(found) + 1))
    assert all(len(record["mac"]) == 32 for record in found)


def test_since_a_time(tmp_path: Path):
    """That time is included."""
    journal = open_journal(tmp_path)
    for second in range(3):
        journal.append(outcome(f"x-{second}", second))
    journal.close()
    assert ids(reader.records(tmp_path, since="2027-01-15T08:00:01.000000Z")) == ["x-1", "x-2"]


def test_what_is_no_record_is_passed_over(tmp_path: Path):
    """A reader shows what there is; a line without time or number is none."""
    journal = open_journal(tmp_path)
    journal.append(outcome("x"))
    journal.close()
    with (tmp_path / OPEN_NAME).open("ab") as file:
        file.write(b'garbage\n[]\n{"type":"outcome","id":"y"}\n{"type":"outcome","id":"z","time":1,"seq":2}\n{"type"')
    assert ids(reader.records(tmp_path)) == ["x"]


def test_a_follower_gives_each_record_once(tmp_path: Path):
    """Over rotations and compression, and a line only when it is whole."""
    journal = open_journal(tmp_path)
    follower = reader.Follower(tmp_path)
    journal.append(outcome("x-0"))
    assert ids(follower.new()) == ["x-0"]
    assert ids(follower.new()) == []
    journal.append(outcome("x-1"))
    journal.rotate()
    journal.append(outcome("x-2"))
    journal.rotate()
    compress_closed(tmp_path)
    journal.append(outcome("x-3"))
    assert ids(follower.new()) == ["x-1", "x-2", "x-3"]
    journal.close()
    line = (tmp_path / OPEN_NAME).read_bytes().splitlines(keepends=True)[-1].replace(b"x-3", b"x-4")
    for part in (line[:20], line[20:]):
        assert ids(follower.new()) == []
        with (tmp_path / OPEN_NAME).open("ab") as file:
            file.write(part)
    assert ids(follower.new()) == ["x-4"]


def test_an_empty_directory_has_no_records(tmp_path: Path):
    """And is no error."""
    assert list(reader.records(tmp_path)) == []
