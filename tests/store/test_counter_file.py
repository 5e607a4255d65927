"""The counter file on disk."""

import errno
import os
import resource
import stat
import sys

import pytest

from gateway.clock import ManualClock
from gateway.errors import StateError
from gateway.store.counter_file import copy_table, open_table
from gateway.store.counter_table import HEADER_WORDS, Entry, fingerprint, size_bytes
from tests.store.budget import sliding

BOOT = fingerprint("this boot")
ENTRY = Entry(fingerprint("a counter"), 8, 4, sliding(2))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counters"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def open_at(path, clock):
    """Open the file at `path`, with little room unless told."""

    def open_at(boot=BOOT, entries=4, words=64):
        return open_table(path, clock, boot=boot, entries=entries, words=words)

    return open_at


def test_a_new_file_is_private_whole_and_has_its_disk_space(path, open_at):
    """Nobody else can read it, no draft is left, and no hole in it waits for a full disk."""
    open_at().release()
    status = path.stat()
    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_size == size_bytes(4, 64)
    assert status.st_blocks * 512 >= status.st_size
    assert list(path.parent.iterdir()) == [path]


def test_what_is_written_is_in_the_file_at_once(path, open_at):
    """A process that ends without a word has lost nothing."""
    table = open_at()
    table.add(0, ENTRY, [1, 2, 3])
    copy = path.with_name("copy")
    copy.write_bytes(path.read_bytes())
    table.release()
    path.write_bytes(copy.read_bytes())
    assert open_at().body(ENTRY) == [1, 2, 3]


def test_the_same_boot_opens_the_same_file(path, open_at):
    """Nothing is rewritten when nothing has to be."""
    open_at().release()
    inode = path.stat().st_ino
    open_at().release()
    open_at(entries=1, words=1).release()
    assert path.stat().st_ino == inode


@pytest.mark.parametrize(("entries", "words"), [(5, 64), (4, 65), (100, 1000), (100, 1)])
def test_more_room_keeps_what_is_there(path, open_at, entries, words):
    """A file grows where it is too small, never shrinks, and no entry is lost."""
    table = open_at()
    table.add(3, ENTRY, [1, 2, 3])
    tag = table.tag(ENTRY)
    table.release()
    grown = open_at(entries=entries, words=words)
    assert (grown.entries, grown.capacity) == (max(entries, 4), max(words, 64))
    assert list(grown.blocks()) == [(3, ENTRY)]
    assert grown.body(ENTRY) == [1, 2, 3]
    assert grown.tag(ENTRY) == tag
    assert grown.flaw() is None


def test_a_draft_that_a_crash_left_is_ignored(path, open_at):
    """Half a file under the draft's name stops nobody, with or without a finished one."""
    draft = path.with_name("counters.new")
    draft.write_bytes(b"half")
    table = open_at()
    table.add(0, ENTRY, [1, 2, 3])
    table.release()
    draft.write_bytes(b"half")
    assert open_at(words=65).body(ENTRY) == [1, 2, 3]
    assert not draft.exists()


def cut_short(*_: object) -> None:
    raise OSError(errno.EIO, "cut short")


def test_a_reboot_that_is_cut_short_is_done_once(path, open_at, clock, monkeypatch):
    """A crash before the new file has its name leaves the old one, so no age is counted twice."""
    table = open_at()
    made_ns = clock.monotonic_ns()
    table.add(0, ENTRY, [0, made_ns, 0])
    clock.advance(seconds=10)
    table.touch(clock)
    table.release()
    clock.advance(seconds=-500)
    with monkeypatch.context() as patch:
        patch.setattr(type(path), "rename", cut_short)
        with pytest.raises(StateError, match="cut short"):
            open_at(boot=fingerprint("next boot"))
    clock.advance(seconds=7)
    assert open_at(boot=fingerprint("next boot")).body(ENTRY) == [0, clock.monotonic_ns() - 10 * 10**9, 0]


def test_a_full_disk_is_refused_before_anything_is_made(path, open_at):
    """The error tells how much room is needed, and no torn file is left under the name."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, hard))
    try:
        with pytest.raises(StateError, match="with 4,864 bytes free"):
            open_at()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.exists()
    open_at().release()


def test_a_link_is_refused(path, open_at):
    """A link planted in the state directory is not followed."""
    open_at().release()
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    with pytest.raises(StateError, match=r"counters: .*must be a plain file"):
        open_at()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused(path, open_at, make):
    """A pipe or a directory in its place is an error, not a wait."""
    make(path, 0o600)
    with pytest.raises(StateError, match=r"plain file"):
        open_at()


@pytest.mark.parametrize("mode", [0o640, 0o606, 0o602])
def test_a_file_that_others_may_open_is_refused(path, open_at, mode):
    """The error names the mend."""
    open_at().release()
    path.chmod(mode)
    with pytest.raises(StateError, match="chmod it 600"):
        open_at()
    path.chmod(0o600)
    open_at().release()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes long"),
        (b"x" * 4095, "4095 bytes long"),
        (b"x" * 5001, "5001 bytes long"),
        (b"x" * 8192, "not a counter file"),
    ],
)
def test_a_file_that_is_not_ours_is_refused_and_left(path, open_at, content, message):
    """It is never reset silently: the error says what to do."""
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(StateError, match=f"counters: .*{message}.*Move it away"):
        open_at()
    assert path.read_bytes() == content


def test_a_file_cut_short_is_refused(path, open_at):
    """Words that are missing would kill the process when they are touched."""
    open_at().release()
    os.truncate(path, path.stat().st_size - 8)
    with pytest.raises(StateError, match="not as long as its header tells"):
        open_at()


def test_an_entry_that_points_out_of_the_file_is_refused(path, open_at):
    """The core is never led outside its words."""
    table = open_at()
    table.add(0, ENTRY, [1, 2, 3])
    table.release()
    with path.open("r+b") as file:
        file.seek((HEADER_WORDS + 2) * 8)
        file.write((62).to_bytes(8, sys.byteorder))
    with pytest.raises(StateError, match=r"damaged entry, number 0\. Move it away"):
        open_at()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"", "not a counter file, 0 bytes long"),
        (b"x" * 8192, "not a counter file of this gateway"),
    ],
)
def test_what_is_no_counter_file_is_not_copied(tmp_path, content, message):
    """And left as it is."""
    path = tmp_path / "counters"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StateError, match=message):
        copy_table(path, ManualClock(), boot=fingerprint("this boot"), entries=1, words=1)
    assert content is None or path.read_bytes() == content
