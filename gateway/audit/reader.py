"""Reads a journal, closed and compressed segments included, while a gateway may be writing to it.

It believes what it reads; whether that is what was written is `verify`'s.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway.audit.segment import Segment, snapshot

Record = dict[str, Any]
"""A record as it is in the journal: the fields of its struct with `type`, `seq` and `mac`."""


def records(directory: Path, *, since: str = "") -> Iterator[Record]:
    """Every record from a time on (UTC, as records have it), in the order in which they were written.

    A line that is no record is passed over: `verify` is there to find it. Raises `UnreadableError` for a segment
    that cannot be read.
    """
    return (record for record in Follower(directory).new() if record["time"] >= since)


class Follower:
    """Reads a journal on and on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._first = 0
        self._offset = 0

    def new(self) -> Iterator[Record]:
        """Every record since the last one that this gave; all of them the first time. Raises `UnreadableError`."""
        with snapshot(self._directory) as segments:
            for segment in segments:
                if segment.first < self._first:
                    continue
                if segment.first > self._first:
                    self._first, self._offset = segment.first, 0
                yield from self._rest(segment)

    def _rest(self, segment: Segment) -> Iterator[Record]:
        for line in segment.lines(self._offset):
            # Part of a line may become a whole one yet.
            if segment.is_open and not line.endswith(b"\n"):
                return
            self._offset += len(line)
            record = decode(line)
            if record is not None:
                yield record


def decode(line: bytes) -> Record | None:
    """The record in a line; None where there is none, as in one that is cut short or was spoilt."""
    try:
        record = msgspec.json.decode(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict):
        return None
    has_text = all(isinstance(record.get(name), str) for name in ("type", "time", "mac"))
    return record if has_text and isinstance(record.get("seq"), int) else None
