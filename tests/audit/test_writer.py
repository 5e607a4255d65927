"""The open segment: whole lines or nothing, whatever the disk does and whoever else is at the file."""

import errno
import os
from pathlib import Path

import pytest

from gateway.audit.writer import SegmentWriter


@pytest.fixture
def writer(tmp_path: Path):
    """A segment with one line in it."""
    writer = SegmentWriter(tmp_path / "segment")
    writer.write(b"before\n")
    yield writer
    writer.close()


def failing(number: int):
    """A system call that fails with this errno."""

    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_line_is_written_by_one_system_call(writer: SegmentWriter, monkeypatch: pytest.MonkeyPatch):
    """A killed gateway leaves a whole line or none, because the kernel gets it in one piece."""
    calls: list[bytes] = []

    def write(_: int, line: bytes) -> int:
        calls.append(line)
        return len(line)

    monkeypatch.setattr(os, "write", write)
    writer.write(b"one line\n")
    assert calls == [b"one line\n"]


@pytest.mark.parametrize("length", [0, 1, 4])
def test_a_short_write_is_taken_back(
    writer: SegmentWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
):
    """A disk that takes only part of a line gets it cut off again: no part of a record is left."""
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, line: write(file, line[:length]))
        with pytest.raises(OSError, match="whole line"):
            writer.write(b"lost\n")
    writer.write(b"after\n")
    assert (tmp_path / "segment").read_bytes() == b"before\nafter\n"


def test_a_part_that_cannot_be_cut_off_at_once_is_cut_off_before_the_next_line(
    writer: SegmentWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Nothing is ever written behind part of a line."""
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda file, line: write(file, line[:2]))
        patched.setattr(os, "ftruncate", failing(errno.EIO))
        with pytest.raises(OSError, match="whole line"):
            writer.write(b"lost\n")
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            writer.write(b"lost as well\n")
    assert (tmp_path / "segment").read_bytes() == b"before\nlo"
    writer.write(b"after\n")
    assert (tmp_path / "segment").read_bytes() == b"before\nafter\n"


def test_what_others_do_to_the_file_is_noticed(writer: SegmentWriter, tmp_path: Path):
    """Added to, cut, replaced, renamed: each has its words; a file that was left alone has none."""
    path = tmp_path / "segment"
    assert writer.displacement(path) == ""
    with path.open("ab") as file:
        file.write(b"x")
    assert writer.displacement(path) == "the open segment has 8 bytes where 7 were written"
    os.truncate(path, 3)
    assert "3 bytes where 7" in writer.displacement(path)
    path.rename(tmp_path / "elsewhere")
    assert "removed or renamed" in writer.displacement(path)
    path.write_bytes(b"before\n")
    assert "another file" in writer.displacement(path)


def test_a_link_is_not_followed(tmp_path: Path):
    """A link planted in the place of the journal does not get its target written."""
    (tmp_path / "segment").symlink_to(tmp_path / "target")
    with pytest.raises(OSError, match="symbolic link"):
        SegmentWriter(tmp_path / "segment")
    assert not (tmp_path / "target").exists()
