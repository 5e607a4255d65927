"""The layout of the counter file: header, table of entries, words; all 64-bit integers in machine order.

Works on any writable memory. Getting a file into memory is `counter_file`'s; what the words of a block mean
is `bucket`'s; which block goes to whom `counters` decides.

An entry exists from the moment its offset is written, which is last, until its offset is zeroed, which is
first; so a process killed between any two stores leaves a table that reads true.
"""

import enum
import hashlib
import sys
from array import array
from collections.abc import Iterator, Sequence

import msgspec

from gateway import fastpath
from gateway.clock import Clock
from gateway.store.bucket import CounterSpec, restamp

Fingerprint = tuple[int, int]
"""128 bits of BLAKE2b, as the two words that the table keeps."""

LAYOUT = 1
HEADER_WORDS = 512
ENTRY_WORDS = 8
# The core takes offset 0 for "not bound", so no block may lie there.
FIRST_OFFSET = 1

_MAGIC = int.from_bytes(b"gatewayC", sys.byteorder, signed=True)
# No time, count or hint that the core writes is below -2**62, so no word of a block passes for an old tag.
_TAG_BASE = -(1 << 63)
_OFFSET = 2


class Header(enum.IntEnum):
    """The words of the header, by place."""

    MAGIC = 0
    LAYOUT = 1
    BOOT = 2
    CREATED_WALL_NS = 4
    TOUCHED_NS = 5
    TOUCHED_WALL_NS = 6
    ENTRIES = 7
    WORDS = 8
    GENERATION = 9


class Entry(msgspec.Struct, frozen=True):
    """One block: whose it is, where its tag lies among the words, how long it is, and how it limits."""

    key: Fingerprint
    offset: int
    length: int
    spec: CounterSpec


def fingerprint(*parts: str) -> Fingerprint:
    """A name for `parts` that no other parts have, whatever characters they are made of."""
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big") + data)
    high, low = array("q", digest.digest())
    return high, low


def size_bytes(entries: int, words: int) -> int:
    """How much memory a table needs that has room for so many blocks and so many words."""
    return (HEADER_WORDS + entries * ENTRY_WORDS + words) * 8


class CounterTable:
    """Header, entries and words in one stretch of memory."""

    def __init__(self, memory: memoryview) -> None:
        """Take memory of at least a header, as it is; `flaw` says whether it can be believed."""
        self._memory = memory
        self._cells = memory.cast("q")
        self.entries = self._cells[Header.ENTRIES]
        self.capacity = self._cells[Header.WORDS]
        self._first_word = HEADER_WORDS + self.entries * ENTRY_WORDS

    @classmethod
    def make(cls, memory: memoryview, clock: Clock, *, boot: Fingerprint, entries: int, words: int) -> "CounterTable":
        """An empty table in memory that is all zeros and `size_bytes(entries, words)` long."""
        now_ns, wall_ns = clock.monotonic_ns(), clock.wall_ns()
        header = [_MAGIC, LAYOUT, *boot, wall_ns, now_ns, wall_ns, entries, words]
        memory.cast("q")[: len(header)] = memoryview(array("q", header))
        return cls(memory)

    def words(self) -> fastpath.Words:
        """The words as the core sees them. Release them before the table."""
        return fastpath.Words(self._memory[self._first_word * 8 :])

    def release(self) -> None:
        """Let go of the memory."""
        self._cells.release()
        self._memory.release()

    def touch(self, clock: Clock) -> None:
        """Write down that this moment was lived through: after a reboot ages are counted from here."""
        self._cells[Header.TOUCHED_NS] = clock.monotonic_ns()
        self._cells[Header.TOUCHED_WALL_NS] = clock.wall_ns()

    def is_of(self, boot: Fingerprint, now_ns: int) -> bool:
        """Whether the times in it are on the monotonic clock of this boot, which reads `now_ns`."""
        return tuple(self._cells[Header.BOOT : Header.BOOT + 2]) == boot and self._cells[Header.TOUCHED_NS] <= now_ns

    def blocks(self) -> Iterator[tuple[int, Entry]]:
        """Every entry with its index. Raises ValueError at one whose limit cannot be."""
        for index in range(self.entries):
            start = HEADER_WORDS + index * ENTRY_WORDS
            if self._cells[start + _OFFSET]:
                high, low, offset, length, *spec = self._cells[start : start + ENTRY_WORDS]
                yield index, Entry((high, low), offset, length, CounterSpec(*spec))

    def tag(self, entry: Entry) -> int:
        """The tag that a slot bound to the block must hold."""
        return self._cells[self._first_word + entry.offset]

    def body(self, entry: Entry) -> list[int]:
        """The words of the block, without its tag."""
        start = self._first_word + entry.offset
        return self._cells[start + 1 : start + entry.length].tolist()

    def add(self, index: int, entry: Entry, body: Sequence[int]) -> None:
        """Put a block where nothing is, under a tag that this table never gave before."""
        self._cells[Header.GENERATION] += 1
        self._write(self._first_word + entry.offset, [_TAG_BASE + self._cells[Header.GENERATION], *body])
        start = HEADER_WORDS + index * ENTRY_WORDS
        spec = entry.spec
        self._write(start, entry.key)
        self._write(start + 3, [entry.length, spec.kind, spec.window_ns, spec.maximum, spec.burst])
        self._cells[start + _OFFSET] = entry.offset

    def remove(self, index: int, entry: Entry) -> None:
        """Drop a block, and spoil its tag so that a slot still bound to it notices."""
        self._cells[HEADER_WORDS + index * ENTRY_WORDS + _OFFSET] = 0
        self._cells[self._first_word + entry.offset] = 0

    def adopt(self, old: "CounterTable", now_ns: int, *, same_boot: bool) -> None:
        """Take over everything in `old`, whose room is no larger; times of another boot are restamped."""
        for field in (Header.CREATED_WALL_NS, Header.GENERATION):
            self._cells[field] = old._cells[field]
        self._cells[HEADER_WORDS : HEADER_WORDS + old.entries * ENTRY_WORDS] = old._cells[
            HEADER_WORDS : old._first_word
        ]
        self._cells[self._first_word : self._first_word + old.capacity] = old._cells[old._first_word :]
        if not same_boot:
            for _, entry in self.blocks():
                body = restamp(entry.spec, self.body(entry), old._cells[Header.TOUCHED_NS], now_ns)
                self._write(self._first_word + entry.offset + 1, body)

    def flaw(self) -> str | None:
        """Why this cannot be used as a table, or None if header, size and entries make sense together."""
        if self._cells[Header.MAGIC] != _MAGIC:
            return "not a counter file of this gateway on this kind of machine"
        if self._cells[Header.LAYOUT] != LAYOUT:
            return f"has layout {self._cells[Header.LAYOUT]}, and this gateway reads layout {LAYOUT}"
        size = size_bytes(self.entries, self.capacity)
        if min(self.entries, self.capacity) < 0 or self._memory.nbytes != size:
            return "is not as long as its header tells"
        try:
            blocks = sorted(self.blocks(), key=lambda block: block[1].offset)
        except ValueError as error:
            return f"has a damaged entry: {error}"
        end = FIRST_OFFSET
        for index, entry in blocks:
            if entry.offset < end or not self._is_sound(entry):
                return f"has a damaged entry, number {index}"
            end = entry.offset + entry.length
        return None

    def _is_sound(self, entry: Entry) -> bool:
        needed = fastpath.block_length(entry.spec.kind, entry.spec.maximum)
        # Words behind those that the core looks at hold calls for which an edit has left no place in the ring.
        has_its_length = entry.length == needed or (
            entry.spec.kind == fastpath.SLIDING_WINDOW and entry.length > needed
        )
        return (
            has_its_length
            and entry.offset + entry.length <= self.capacity
            and _TAG_BASE < self.tag(entry) <= _TAG_BASE + self._cells[Header.GENERATION]
        )

    def _write(self, start: int, values: Sequence[int]) -> None:
        self._cells[start : start + len(values)] = memoryview(array("q", values))
