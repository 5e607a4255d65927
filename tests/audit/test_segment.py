"""The files of a journal, found and read while somebody writes to them."""

import os
from pathlib import Path

import pytest

from gateway.audit.segment import (
    OPEN_NAME,
    Segment,
    UnreadableError,
    closed_path,
    closed_segments,
    compress,
    last_lines,
    snapshot,
)
from tests.support.journals import open_journal


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A journal of three segments, of which two are closed."""
    journal = open_journal(tmp_path)
    journal.checkpoint()
    journal.rotate()
    journal.rotate()
    journal.close()
    return tmp_path


def content(directory: Path) -> list[bytes]:
    """Every line, as a snapshot gives them."""
    with snapshot(directory) as segments:
        return [line for segment in segments for line in segment.lines()]


def test_segments_come_in_the_order_of_their_records(directory: Path):
    """Closed ones by their names, the open one last."""
    with snapshot(directory) as segments:
        assert [(segment.first, segment.is_open) for segment in segments] == [(1, False), (3, False), (4, True)]
    assert closed_path(directory, 3).exists()


def test_a_compressed_segment_reads_like_a_plain_one(directory: Path):
    """Also from an offset on; its time stays when it was closed."""
    before, path = content(directory), closed_path(directory, 1)
    os.utime(path, (1000, 1000))
    compress(path)
    assert content(directory) == before
    assert not path.exists()
    (first, *_) = closed_segments(directory)
    assert (first.path.name, first.path.stat().st_mtime) == ("journal-000000000001.jsonl.gz", 1000)
    assert first.path.stat().st_mode & 0o777 == 0o600
    assert list(first.lines(len(before[0]))) == before[1:2]
    assert last_lines(first) == (before[1], before[0])


def test_a_segment_compressed_while_it_is_looked_for_is_found(directory: Path):
    """The name in a snapshot may be of yesterday."""
    before = content(directory)
    with snapshot(directory) as segments:
        compress(closed_path(directory, 1))
        assert [line for segment in segments for line in segment.lines()] == before


def test_a_segment_that_is_closed_meanwhile_is_there_once(tmp_path: Path):
    """A rotation during the reading neither hides nor doubles a record."""
    journal = open_journal(tmp_path)
    before = content(tmp_path)
    with snapshot(tmp_path) as segments:
        journal.rotate()
        assert [line for segment in segments for line in segment.lines()] == before
    journal.close()


def test_a_compression_cut_off_leaves_the_plain_one_in_force(directory: Path):
    """With both there, as after a crash, each record is read once."""
    before = content(directory)
    plain = closed_path(directory, 1).read_bytes()
    compress(closed_path(directory, 1))
    closed_path(directory, 1).write_bytes(plain)
    (directory / "journal-000000000001.jsonl.gz.new").write_bytes(b"part")
    assert content(directory) == before


def test_a_compression_that_fails_leaves_the_segment(directory: Path, monkeypatch: pytest.MonkeyPatch):
    """A full disk does not cost records."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    before = content(directory)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        compress(closed_path(directory, 1))
    assert content(directory) == before


@pytest.mark.parametrize("damage", [lambda data: data[:-4], lambda data: data[:12] + b"\xff" * 8 + data[20:]])
def test_damaged_compression_is_an_error_that_names_the_file(directory: Path, damage):
    """It is not taken for the end of the segment."""
    compress(closed_path(directory, 1))
    path = closed_path(directory, 1).with_suffix(".jsonl.gz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(UnreadableError, match="journal-000000000001"):
        list(Segment(1, path).lines())


def test_no_segments_at_all(tmp_path: Path):
    """An empty directory is an empty journal."""
    assert content(tmp_path) == []


def test_an_open_segment_without_a_first_line_has_no_number(tmp_path: Path):
    """What stands there is none of ours."""
    (tmp_path / OPEN_NAME).write_bytes(b"garbage\n")
    with snapshot(tmp_path) as segments:
        assert [segment.first for segment in segments] == [0]
