"""The section `audit` of the configuration: its shape, its mistakes, and the settings that it holds.

`config_file` and `config` read it as part of their file; the journal's keeper is given the settings.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from gateway.reading import scalars
from gateway.reading.outcome import Fault, Path

_SYNC: Final = (0.001, 10.0)
_MIN_SEGMENT_BYTES: Final = 64 << 10
_MIN_AGE_S: Final = 60.0


class AuditEntry(msgspec.Struct, frozen=True):
    """`audit`, as written: how the journal is kept."""

    on_failure: Literal["deny", "continue"] = "deny"
    sync: float | str = "50ms"
    rotate_size: int | str = "64MiB"
    rotate_after: float | str = "24h"
    keep_for: float | str | None = None
    keep_size: int | str | None = None


class Upkeep(msgspec.Struct, frozen=True):
    """How a journal is kept while the gateway runs."""

    sync_s: float = 0.05
    """The longest that a record waits before it is put on the disk."""
    rotate_bytes: int = 64 << 20
    """A segment is closed once it is larger."""
    rotate_ns: int = 24 * 3600 * 1_000_000_000
    """A segment is closed once it was begun so long ago, if there is anything in it."""
    keep_ns: int | None = None
    """How long closed segments are kept; None for ever."""
    keep_bytes: int | None = None
    """How much all segments may have together before the oldest go; None for any amount."""


def upkeep(entry: AuditEntry) -> Upkeep:
    """The settings in an entry without faults."""
    return Upkeep(
        sync_s=_seconds(entry.sync),
        rotate_bytes=_bytes(entry.rotate_size),
        rotate_ns=round(_seconds(entry.rotate_after) * 1e9),
        keep_ns=None if entry.keep_for is None else round(_seconds(entry.keep_for) * 1e9),
        keep_bytes=None if entry.keep_size is None else _bytes(entry.keep_size),
    )


def audit_faults(parts: Mapping[Path, object]) -> Iterator[Fault]:
    """Yield every mistake that the types of the fields cannot express."""
    for path, value in parts.items():
        if len(path) != 2 or path[0] != "audit" or isinstance(value, bool) or not isinstance(value, str | int | float):
            continue
        try:
            _check(path[1], value)
        except ValueError as error:
            yield path, str(error)


def _check(field: object, value: float | str) -> None:
    match field, value:
        case "sync", _:
            low, high = _SYNC
            if not low <= _seconds(value) <= high:
                raise ValueError("records are put on the disk within 1ms to 10s")
        case "rotate_after" | "keep_for", _:
            if _seconds(value) < _MIN_AGE_S:
                raise ValueError("must be at least 1m")
        case "rotate_size" | "keep_size", str() | int():
            if _bytes(value) < _MIN_SEGMENT_BYTES:
                raise ValueError("must be at least 64KiB")
        case _:
            pass


def _seconds(written: float | str) -> float:
    return scalars.duration_ns(written) / 1e9 if isinstance(written, str) else written


def _bytes(written: int | str) -> int:
    return scalars.byte_count(written) if isinstance(written, str) else written
