"""Where a journal goes on."""

import os
from pathlib import Path

import pytest

from gateway.audit import tail
from gateway.audit.chain import BEFORE_THE_FIRST, Chain
from gateway.audit.segment import OPEN_NAME
from gateway.audit.tail import Tail, find_tail
from gateway.errors import StateError
from tests.support.journals import seal


def found(path: Path) -> Tail:
    """The tail of what is in a file, which is made where there is none."""
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        return find_tail(file, path, seal())
    finally:
        os.close(file)


def lines(count: int, size: int = 10) -> tuple[Chain, bytes]:
    """A segment of so many records, of at least `size` bytes each."""
    chain, text = Chain(seal()), b""
    for number in range(count):
        kind = b"checkpoint" if number == 0 else b"outcome"
        line, mac = chain.next_line(
            b'{"type":"%b","time":"t","head":"%b","x":"%b"}' % (kind, chain.head.encode(), b"y" * size)
        )
        chain.advance(mac)
        text += line
    return chain, text


def test_an_empty_directory_begins_at_nothing(tmp_path: Path):
    """The first record of all comes after record 0."""
    assert found(tmp_path / OPEN_NAME) == Tail(0, BEFORE_THE_FIRST, 0, b"")


@pytest.mark.parametrize("count", [1, 2, 50])
def test_the_last_record_is_found_at_every_cut(tmp_path: Path, count: int):
    """Wherever the last line is cut, what precedes it is the end, and what there is of it is torn."""
    before, whole = lines(count)
    chain, text = lines(count + 1)
    path = tmp_path / OPEN_NAME
    for cut in range(len(whole), len(text)):
        path.write_bytes(text[:cut])
        assert found(path) == Tail(before.seq, before.head, len(whole), text[len(whole) : cut])
    path.write_bytes(text)
    assert found(path) == Tail(chain.seq, chain.head, len(text), b"")


def test_only_the_end_of_a_large_segment_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Unless its lines are so long that the end holds none."""
    path = tmp_path / OPEN_NAME
    monkeypatch.setattr(tail, "_WINDOW", 2000)
    for size in (10, 500, 5000):
        chain, text = lines(20, size)
        path.write_bytes(text + b"torn")
        assert found(path) == Tail(chain.seq, chain.head, len(text), b"torn")


def test_a_first_line_that_does_not_name_what_was_before_is_not_believed(tmp_path: Path):
    """Alone in its segment, only a checkpoint can be checked."""
    line, _ = Chain(seal()).next_line(b'{"type":"outcome"}')
    (tmp_path / OPEN_NAME).write_bytes(line)
    with pytest.raises(StateError, match="gateway audit verify"):
        found(tmp_path / OPEN_NAME)


def test_a_damaged_closed_segment_is_not_passed_over(tmp_path: Path):
    """Where the open segment is empty, the one before must tell where the journal stands."""
    (tmp_path / "journal-000000000001.jsonl.gz").write_bytes(b"\x1f\x8bgarbage")
    with pytest.raises(StateError, match="cannot be read"):
        found(tmp_path / OPEN_NAME)
