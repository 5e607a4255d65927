"""Old segments: which are compressed and which are to go."""

import os
from pathlib import Path

import pytest

from gateway.audit.retention import compress_closed, oldest_expired
from gateway.audit.segment import closed_path, closed_segments
from tests.support.journals import open_journal


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Closed segments from record 1, 2 and 3 on, closed 100, 200 and 300 seconds after 1970, and an open one."""
    journal = open_journal(tmp_path)
    for _ in range(3):
        journal.rotate()
    journal.close()
    for number in (1, 2, 3):
        os.utime(closed_path(tmp_path, number), (number * 100, number * 100))
    return tmp_path


def test_what_is_closed_is_compressed(directory: Path):
    """Every closed segment, and no other file."""
    compress_closed(directory)
    assert [segment.path.suffix for segment in closed_segments(directory)] == [".gz"] * 3
    assert (directory / "journal.jsonl").exists()
    compress_closed(directory)


def test_what_cannot_be_compressed_is_logged(
    directory: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """The others are, and the gateway goes on."""

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    compress_closed(directory)
    assert caplog.text.count("cannot be compressed: No space") == 3


@pytest.mark.parametrize(("before_s", "first"), [(50, None), (100, None), (101, 1), (250, 1)])
def test_age(directory: Path, before_s: int, first: int | None):
    """The oldest goes when it was closed before that time."""
    expired = oldest_expired(directory, before_ns=before_s * 1_000_000_000, most_bytes=None)
    assert (expired and (expired.through, expired.cause)) == (first and (first, "age"))


def test_size(directory: Path):
    """The oldest goes while all of them together are too large."""
    total = sum(path.stat().st_size for path in directory.glob("journal*.jsonl"))
    assert oldest_expired(directory, before_ns=None, most_bytes=total) is None
    expired = oldest_expired(directory, before_ns=None, most_bytes=total - 1)
    assert (expired.path, expired.cause) == (closed_path(directory, 1), "size")
    assert expired.path.read_text().rstrip().endswith(f'"seq":1,"mac":"{expired.head}"}}')


def test_the_open_segment_never_goes(tmp_path: Path):
    """However old or large it is."""
    open_journal(tmp_path).close()
    assert oldest_expired(tmp_path, before_ns=2**62, most_bytes=0) is None


@pytest.mark.parametrize("content", [b"", b"garbage\n", b"\x1f\x8bgarbage"])
def test_what_cannot_be_accounted_for_is_kept(directory: Path, content: bytes, caplog: pytest.LogCaptureFixture):
    """A segment whose end is unreadable is left for an investigator, and the log says so."""
    closed_path(directory, 1).write_bytes(content)
    os.utime(closed_path(directory, 1), (1, 1))
    assert oldest_expired(directory, before_ns=2**62, most_bytes=None) is None
    assert "removed" in caplog.text
