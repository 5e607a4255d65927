"""The counters on disk: which block of words belongs to which counter, through restarts, reboots and edits.

Gives out room and never looks at the clock of a call: spending is the core's, on `words`. The gate calls
`bind` when the core answers UNBOUND. A SIGKILL loses nothing; a power cut may lose what the kernel had not
yet written.
"""

import collections
import uuid
from pathlib import Path

from gateway import fastpath
from gateway.clock import Clock
from gateway.errors import CountersFullError
from gateway.lock import Lock
from gateway.store.bucket import CounterSpec, carry, is_live
from gateway.store.counter_file import copy_table, open_table
from gateway.store.counter_table import FIRST_OFFSET, CounterTable, Entry, Fingerprint, fingerprint
from gateway.store.extents import Extents

__all__ = ["CounterSpec", "CounterStore", "read_boot_id"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
# A sweep reads every word, so a full table must not be swept for each call that wants a new counter.
_SWEEP_EVERY_NS = 1_000_000_000
# A call admitted before an edit may still be rolled back on the words it was spent on, so these must not
# become another counter's meanwhile. No call waits this long to be sent.
_REST_NS = 600_000_000_000
# A copy is asked for the counters of one grant.
_SPARE_ENTRIES = 1024
_SPARE_WORDS = 1 << 20


class CounterStore:
    """The table of counters, owned by this process while it is open.

    `words` is what the core works on. `refused` counts the binds that found no room.
    """

    def __init__(self, table: CounterTable, lock: Lock | None, clock: Clock) -> None:
        """Take over an open table and its lock, which a copy has not; `open` and `copy` are the ways in."""
        self.words: fastpath.Words = table.words()
        self.refused = 0
        self._table = table
        self._lock = lock
        self._clock = clock
        self._indexes: dict[Fingerprint, int] = {}
        self._entries: dict[int, Entry] = {}
        for index, entry in table.blocks():
            if entry.key in self._indexes:
                # A crash in the middle of an edit left the counter twice. Neither copy was spent on since.
                table.remove(index, entry)
            else:
                self._indexes[entry.key] = index
                self._entries[index] = entry
        self._free_indexes = [index for index in reversed(range(table.entries)) if index not in self._entries]
        taken = ((entry.offset, entry.length) for entry in self._entries.values())
        self._free_words = Extents(FIRST_OFFSET, table.capacity, taken)
        self._resting: collections.deque[tuple[int, Entry]] = collections.deque()
        self._next_sweep_ns = clock.monotonic_ns()
        self.touch()

    @classmethod
    def open(
        cls, path: Path, clock: Clock, *, boot_id: str, entries: int = 65536, words: int = 1 << 20
    ) -> "CounterStore":
        """Open the counters kept at `path`, making the file if there is none and growing it if it is small.

        `boot_id` names the boot that `clock`'s monotonic time belongs to; on another one every age is as it
        was when the file was last touched. Raises StateError when another process has the counters open or
        the file cannot be trusted.
        """
        lock = Lock.take(path.with_name(path.name + ".lock"))
        try:
            table = open_table(path, clock, boot=fingerprint(boot_id), entries=entries, words=words)
        except BaseException:
            lock.release()
            raise
        return cls(table, lock, clock)

    @classmethod
    def copy(cls, path: Path, clock: Clock, *, boot_id: str) -> "CounterStore":
        """The counters kept at `path` as they are now, in memory: whatever is spent there, nobody else notices.

        A gateway may be using the file. Raises StateError when it cannot be read.
        """
        return cls(
            copy_table(path, clock, boot=fingerprint(boot_id), entries=_SPARE_ENTRIES, words=_SPARE_WORDS), None, clock
        )

    def bind(self, key: tuple[str, str, str, str], spec: CounterSpec) -> tuple[int, int]:
        """Offset and tag of the block of a counter: (server, policy, counter, scope value).

        The same key and spec give the same block while it is live. Another spec carries the value over
        (policy.md, "Limits") into a new block, and the old one is no longer bound. Raises CountersFullError
        when there is no room; a live counter is never evicted to make some.
        """
        name = fingerprint(*key)
        old = self._find(name)
        if old is None:
            body = [0] * (fastpath.block_length(spec.kind, spec.maximum) - 1)
        elif old.spec == spec:
            return old.offset, self._table.tag(old)
        else:
            now_ns, wall_ns = self._clock.monotonic_ns(), self._clock.wall_ns()
            body = carry(old.spec, self._table.body(old), spec, now_ns, wall_ns)
        length = 1 + len(body)
        index, offset = self._make_room(length)
        entry = Entry(name, offset, length, spec)
        self._table.add(index, entry, body)
        # Not before the new block counts: a crash between the two must find the value at least once.
        self._retire(name)
        self._indexes[name], self._entries[index] = index, entry
        return offset, self._table.tag(entry)

    def touch(self) -> None:
        """Note that this moment was lived through. Called every second: a reboot counts ages from here."""
        self._table.touch(self._clock)

    def close(self) -> None:
        """Give the counters up for the next gateway to open; `words` can no longer be used."""
        self.touch()
        self.words.release()
        self._table.release()
        if self._lock is not None:
            self._lock.release()

    def _find(self, name: Fingerprint) -> Entry | None:
        index = self._indexes.get(name)
        return None if index is None else self._entries[index]

    def _make_room(self, length: int) -> tuple[int, int]:
        """A free index of the table and the offset of `length` free words."""
        room = self._take_room(length)
        if room is None:
            self._sweep()
            room = self._take_room(length)
        if room is None:
            self.refused += 1
            raise CountersFullError(
                f"no room for a counter of {length} words beside the {len(self._entries)} that are kept. "
                f"Wait for a window to pass, or open the counters with more entries and words."
            )
        return room

    def _take_room(self, length: int) -> tuple[int, int] | None:
        now_ns = self._clock.monotonic_ns()
        while self._resting and self._resting[0][0] <= now_ns:
            _, entry = self._resting.popleft()
            self._free_words.give(entry.offset, entry.length)
        if not self._free_indexes:
            return None
        offset = self._free_words.take(length)
        return None if offset is None else (self._free_indexes.pop(), offset)

    def _retire(self, name: Fingerprint) -> None:
        """Unbind a counter's block, its words to be reused when no call can be rolled back on them."""
        if name in self._indexes:
            entry = self._remove(self._indexes[name])
            self._resting.append((self._clock.monotonic_ns() + _REST_NS, entry))

    def _sweep(self) -> None:
        """Free every block whose window has passed: it holds no information.

        Its words may be reused at once: a call that is rolled back there later finds nothing of its own,
        since its time is gone from the ring, its window number is past, or its tokens are won back.
        """
        now_ns, wall_ns = self._clock.monotonic_ns(), self._clock.wall_ns()
        if now_ns < self._next_sweep_ns:
            return
        self._next_sweep_ns = now_ns + _SWEEP_EVERY_NS
        for index, entry in list(self._entries.items()):
            if not is_live(entry.spec, self._table.body(entry), now_ns, wall_ns):
                self._remove(index)
                self._free_words.give(entry.offset, entry.length)

    def _remove(self, index: int) -> Entry:
        entry = self._entries.pop(index)
        del self._indexes[entry.key]
        self._table.remove(index, entry)
        self._free_indexes.append(index)
        return entry


def read_boot_id() -> str:
    """The name of this boot of the machine.

    Where the system has none, a new name each time, which says so: every start then counts as a reboot,
    and callers may wait longer than they must.
    """
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"unknown boot {uuid.uuid4()}"
