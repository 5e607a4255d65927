"""Noticing that files changed."""

import os
from pathlib import Path

import pytest

from gateway.watch import Watch, look


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that only its owner may write."""
    return write(tmp_path / "a", "one")


def write(path: Path, text: str) -> Path:
    """Write a file as the gateway wants it."""
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_nothing_has_changed_where_nothing_has(file: Path):
    """Neither a later time stamp nor another file of the same content is a change."""
    watch = Watch([file])
    file.touch()
    assert not watch.has_settled_change()
    write(file.with_name("draft"), "one").rename(file)
    assert not watch.has_settled_change()
    assert not watch.has_settled_change()


@pytest.mark.parametrize("change", ["write", "rename", "remove", "mode", "empty"])
def test_a_change_counts_at_the_second_look(file: Path, change: str):
    """One look may have fallen into the middle of it; from then on every look finds it, until somebody acts."""
    watch = Watch([file])
    match change:
        case "write":
            file.write_text("two")
        case "rename":
            write(file.with_name("draft"), "two").rename(file)
        case "remove":
            file.unlink()
        case "mode":
            file.chmod(0o666)
        case "empty":
            file.write_text("")
    assert [watch.has_settled_change() for _ in range(3)] == [False, True, True]


def test_a_change_of_the_same_length_and_time_is_seen(file: Path):
    """What counts is what the file holds."""
    watch, times = Watch([file]), file.stat()
    file.write_text("two")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert [watch.has_settled_change() for _ in range(2)] == [False, True]


def test_a_symlink_on_the_way_is_followed(tmp_path: Path):
    """Kubernetes swaps the directory that a file is reached through."""
    for version in ("v1", "v2"):
        (tmp_path / version).mkdir()
        write(tmp_path / version / "a", version)
    link = tmp_path / "..data"
    link.symlink_to("v1")
    watch = Watch([link / "a"])
    (tmp_path / "new").symlink_to("v2")
    (tmp_path / "new").rename(link)
    assert [watch.has_settled_change() for _ in range(2)] == [False, True]


def test_a_file_that_is_still_being_written_has_not_settled(file: Path):
    """As long as each look finds something else, nobody acts."""
    watch = Watch([file])
    for length in range(1, 4):
        file.write_text("two"[:length])
        assert not watch.has_settled_change()
    assert watch.has_settled_change()


def test_a_change_that_is_taken_back_is_none(file: Path):
    """What counts is the difference to what was acted on."""
    watch = Watch([file])
    file.write_text("two")
    assert not watch.has_settled_change()
    file.write_text("one")
    assert [watch.has_settled_change() for _ in range(2)] == [False, False]


def test_what_cannot_be_used_has_its_reason_for_content(file: Path, tmp_path: Path):
    """So that mending it is a change like any other."""
    missing = tmp_path / "missing"
    sight = look([file, missing])
    assert "does not exist" in sight[missing]
    assert len(sight[file]) == 64
