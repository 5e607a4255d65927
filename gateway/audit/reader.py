"""Reads a journal, closed and compressed segments included, while a gateway may be writing to it.

It believes what it reads; whether that is what was written is `verify`'s.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway.audit.segment import snapshot

Record = dict[str, Any]
"""A record as it is in the journal: the fields of its struct with `type`, `seq` and `mac`."""


def records(directory: Path, *, since: str = "") -> Iterator[Record]:
    """Every record from a time on (UTC, as records have it), in the order in which they were written.

    A line that is no record is passed over: `verify` is there to find it. Raises `UnreadableError` for a segment
    that cannot be read.
    """
    with snapshot(directory) as segments:
        for segment in segments:
            for line in segment.lines():
                record = decode(line)
                if record is not None and record["time"] >= since:
                    yield record


def decode(line: bytes) -> Record | None:
    """The record in a line; None where there is none, as in one that is cut short."""
    try:
        record = msgspec.json.decode(line)
    except msgspec.DecodeError:
        return None
    is_record = isinstance(record, dict) and isinstance(record.get("time"), str) and isinstance(record.get("seq"), int)
    return record if is_record else None
