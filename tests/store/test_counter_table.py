"""The layout of the counter file, in plain memory."""

import pytest

from gateway.clock import ManualClock
from gateway.store.counter_table import (
    ENTRY_WORDS,
    HEADER_WORDS,
    CounterTable,
    Entry,
    Header,
    fingerprint,
    size_bytes,
)
from tests.store.budget import sliding

ENTRIES, WORDS = 4, 64
BOOT = fingerprint("this boot")
ENTRY = Entry(fingerprint("a counter"), 8, 12, sliding(10))
TABLE = HEADER_WORDS
BLOCKS = HEADER_WORDS + ENTRIES * ENTRY_WORDS


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def memory():
    return memoryview(bytearray(size_bytes(ENTRIES, WORDS)))


@pytest.fixture
def table(memory, clock):
    table = CounterTable.make(memory, clock, boot=BOOT, entries=ENTRIES, words=WORDS)
    table.add(2, ENTRY, list(range(11)))
    return table


def test_names_that_differ_anywhere_have_other_fingerprints():
    """Parts do not run into one another."""
    keys = [("a", "b"), ("ab",), ("ab", ""), ("", "ab"), ("a\0b",), ("a", "b", "")]
    assert len({fingerprint(*key) for key in keys}) == len(keys)


def test_a_block_reads_as_it_was_added(table, memory):
    """An entry and its words are found again, also by who opens the memory later."""
    assert table.flaw() is None
    again = CounterTable(memory)
    assert list(again.blocks()) == [(2, ENTRY)]
    assert again.body(ENTRY) == list(range(11))
    assert again.tag(ENTRY) == table.words()[8]


def test_a_removed_block_is_gone_and_its_tag_spoiled(table):
    """Slots bound to it no longer match."""
    table.remove(2, ENTRY)
    assert list(table.blocks()) == []
    assert table.words()[8] == 0


def test_no_tag_is_given_twice(table, memory):
    """A block at the same place has another tag, also after the memory is opened anew."""
    tags = {table.tag(ENTRY)}
    for _ in range(5):
        table.remove(2, ENTRY)
        table = CounterTable(memory)
        table.add(2, ENTRY, [0] * 11)
        tags.add(table.tag(ENTRY))
    assert len(tags) == 6
    assert max(tags) < -(1 << 62)


def test_it_is_of_its_boot_only(table, clock):
    """Another boot, or a monotonic clock behind the last touch, makes its times meaningless."""
    now_ns = clock.monotonic_ns()
    assert table.is_of(BOOT, now_ns)
    assert not table.is_of(fingerprint("another boot"), now_ns)
    assert not table.is_of(BOOT, now_ns - 1)
    clock.advance(seconds=1)
    table.touch(clock)
    assert not table.is_of(BOOT, now_ns)


@pytest.mark.parametrize(
    ("word", "value", "message"),
    [
        (Header.MAGIC, 0, "not a counter file"),
        (Header.LAYOUT, 2, "has layout 2, and this gateway reads layout 1"),
        (Header.ENTRIES, 5, "not as long as"),
        (Header.ENTRIES, -1, "not as long as"),
        (Header.WORDS, 63, "not as long as"),
        (Header.WORDS, 1 << 60, "not as long as"),
        (Header.GENERATION, 0, "entry, number 2"),
        (TABLE + 2 * ENTRY_WORDS + 2, -5, "entry, number 2"),
        (TABLE + 2 * ENTRY_WORDS + 2, 53, "entry, number 2"),
        (TABLE + 2 * ENTRY_WORDS + 2, 1 << 62, "entry, number 2"),
        (TABLE + 2 * ENTRY_WORDS + 2, 9, "entry, number 2"),
        (TABLE + 2 * ENTRY_WORDS + 3, 11, "entry, number 2"),
        (TABLE + 2 * ENTRY_WORDS + 4, 99, "damaged entry: "),
        (TABLE + 2 * ENTRY_WORDS + 5, 0, "damaged entry: "),
        (TABLE + 2 * ENTRY_WORDS + 6, 11, "entry, number 2"),
        (BLOCKS + 8, 0, "entry, number 2"),
    ],
)
def test_a_damaged_word_is_noticed(table, memory, word, value, message):
    """What cannot be believed is told before anything is read through it."""
    memory.cast("q")[word] = value
    assert message in (CounterTable(memory).flaw() or "")


def test_blocks_that_overlap_are_noticed(table):
    """Two counters never share words."""
    table.add(0, Entry(fingerprint("another"), 19, 12, sliding(10)), [0] * 11)
    assert "entry, number 0" in (table.flaw() or "")
