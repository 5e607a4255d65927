"""The counter file on disk: made whole or not at all, mapped, and refused when it is not ours.

Its content is `counter_table`'s. `counters` calls this, holding the lock.
"""

import mmap
import os
import stat
from pathlib import Path
from typing import Final

from gateway.clock import Clock
from gateway.errors import StateError
from gateway.store.counter_table import HEADER_WORDS, CounterTable, Fingerprint, size_bytes

_MEND = "Move it away while no gateway runs; a new file starts with every budget full."

_COPIES: Final = 3


def open_table(path: Path, clock: Clock, *, boot: Fingerprint, entries: int, words: int) -> CounterTable:
    """The table kept at `path`: as it is, made new, moved to this boot, or grown to the room asked for.

    Room never shrinks. A table of another boot has its times restamped, in a new file, so that a crash on
    the way leaves the old one. Raises StateError when what is at `path` is not a sound file of ours, or the
    disk cannot hold a new one; nothing is ever reset, for an evicted counter is a refilled budget.
    """
    try:
        old = _map_existing(path)
        if old is None:
            return _make(path, clock, None, boot=boot, entries=entries, words=words)
        entries, words = max(entries, old.entries), max(words, old.capacity)
        if old.is_of(boot, clock.monotonic_ns()) and (entries, words) == (old.entries, old.capacity):
            return old
        table = _make(path, clock, old, boot=boot, entries=entries, words=words)
        old.release()
        return table
    except OSError as error:
        raise StateError(
            f"{path}: {error.strerror}. It must be a plain file in a directory we may write, on a disk with "
            f"{size_bytes(entries, words):,} bytes free."
        ) from error


def copy_table(path: Path, clock: Clock, *, boot: Fingerprint, entries: int, words: int) -> CounterTable:
    """A copy in memory of the table kept at `path`, with room for so many entries and words more.

    Takes no lock and changes nothing on disk: a gateway may be spending there meanwhile. A table of another boot has
    its times restamped. Raises StateError when there is no sound file of ours.
    """
    flaw: str | None = None
    # A gateway that moves a counter at this very moment leaves a copy that makes no sense; another will.
    for _ in range(_COPIES):
        try:
            content = bytearray(path.read_bytes())
        except OSError as error:
            raise StateError(f"{path}: cannot be read: {error.strerror}") from None
        if len(content) < HEADER_WORDS * 8 or len(content) % 8:
            raise StateError(f"{path}: not a counter file, {len(content)} bytes long")
        old = CounterTable(memoryview(content))
        flaw = old.flaw()
        if flaw is None:
            break
    else:
        raise StateError(f"{path}: {flaw}")
    entries, words = old.entries + entries, old.capacity + words
    memory = memoryview(bytearray(size_bytes(entries, words)))
    table = CounterTable.make(memory, clock, boot=boot, entries=entries, words=words)
    table.adopt(old, clock.monotonic_ns(), same_boot=old.is_of(boot, clock.monotonic_ns()))
    return table


def _map_existing(path: Path) -> CounterTable | None:
    try:
        # Without O_NONBLOCK, opening a device or a pipe could wait for ever.
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        status = os.fstat(descriptor)
        _check_status(path, status)
        table = CounterTable(memoryview(mmap.mmap(descriptor, status.st_size)))
    finally:
        os.close(descriptor)
    if flaw := table.flaw():
        raise StateError(f"{path}: {flaw}. {_MEND}")
    return table


def _check_status(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise StateError(f"{path}: not a plain file. {_MEND}")
    if status.st_uid != os.geteuid() or status.st_mode & 0o077:
        raise StateError(f"{path}: open to others. Check who wrote it, then chown it to this user and chmod it 600.")
    if status.st_size < HEADER_WORDS * 8 or status.st_size % 8:
        raise StateError(f"{path}: not a counter file, {status.st_size} bytes long. {_MEND}")


def _make(
    path: Path, clock: Clock, old: CounterTable | None, *, boot: Fingerprint, entries: int, words: int
) -> CounterTable:
    """A new file with the content of `old`, if any, put in its place once it is complete and on disk."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with open(draft, "x+b", opener=_open_private) as file:
        # Written, not left sparse: a hole that the disk has no room for kills the process when it is touched.
        file.write(bytes(size_bytes(entries, words)))
        file.flush()
        mapped = mmap.mmap(file.fileno(), 0)
        table = CounterTable.make(memoryview(mapped), clock, boot=boot, entries=entries, words=words)
        if old is not None:
            table.adopt(old, clock.monotonic_ns(), same_boot=old.is_of(boot, clock.monotonic_ns()))
        mapped.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return table


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
