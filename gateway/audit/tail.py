"""Where a journal goes on after a stop, however the gateway ended. Called by `journal` at the start."""

import os
from pathlib import Path
from typing import Final

import msgspec

from gateway.audit.chain import Chain, Seal, read_line
from gateway.audit.reader import decode
from gateway.audit.segment import UnreadableError, closed_segments, last_lines
from gateway.errors import StateError

# Far more than two lines.
_WINDOW: Final = 4 << 20

_MEND: Final = (
    "Look into it with `gateway audit verify`; to begin a new journal, move the directory of this one away, and if "
    "its key is lost the key too."
)


class Tail(msgspec.Struct, frozen=True):
    """The end of the open segment."""

    seq: int
    head: str
    size: int
    """Up to and with its last whole line; 0 for a segment that has none."""
    torn: bytes
    """What follows that: part of a line that was being written when the machine stopped."""


def find_tail(file: int, path: Path, seal: Seal) -> Tail:
    """The end of the segment that is open as `file`, or, where that is empty, of the segments before it.

    Raises `StateError` where the last whole record is not one that was written with this key: a chain that
    goes on from a forged record would vouch for it.
    """
    size = os.fstat(file).st_size
    start = max(0, size - _WINDOW)
    data = os.pread(file, size - start, start)
    if start and data.count(b"\n") < 3:
        start, data = 0, os.pread(file, size, 0)
    # A file system may leave zeros where the machine stopped before the data was on the disk.
    hole = data.find(b"\0")
    end = data.rfind(b"\n", 0, len(data) if hole < 0 else hole) + 1
    torn = data[end:]
    if end == 0 and start == 0:
        chain = _closed_tail(path.parent, seal)
        return Tail(chain.seq, chain.head, 0, torn)
    lines = data[:end].splitlines(keepends=True)[-2:]
    chain = _checked(lines[-1], lines[-2] if len(lines) > 1 else b"", path, seal)
    return Tail(chain.seq, chain.head, start + end, torn)


def _closed_tail(directory: Path, seal: Seal) -> Chain:
    closed = closed_segments(directory)
    if not closed:
        return Chain(seal)
    try:
        last, before = last_lines(closed[-1])
    except UnreadableError as error:
        raise StateError(f"{error}. {_MEND}") from None
    return _checked(last, before, closed[-1].path, seal)


def _checked(last: bytes, before: bytes, path: Path, seal: Seal) -> Chain:
    line, previous = read_line(last), read_line(before)
    head = previous.mac if previous else _named_head(last)
    if line is None or head is None or seal.mac(head, line.sealed) != line.mac:
        raise StateError(
            f"{path}: its last record was altered, or written with another key, so nothing is added to it. {_MEND}"
        )
    return Chain(seal, line.seq, line.mac)


def _named_head(line: bytes) -> str | None:
    """The MAC before a line that is the first of its segment, which it names itself."""
    record = decode(line)
    head = record.get("head") if record and record["type"] == "checkpoint" else None
    return head if isinstance(head, str) else None
