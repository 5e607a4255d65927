"""Which closed segments to compress, and which to remove. `keeper` calls it in a thread and does the removing."""

import logging
from pathlib import Path

import msgspec

from gateway.audit.chain import read_line
from gateway.audit.segment import UnreadableError, closed_segments, compress, last_lines

logger = logging.getLogger(__name__)


class Expired(msgspec.Struct, frozen=True):
    """A closed segment that is to go."""

    path: Path
    through: int
    """The number of its last record."""
    head: str
    """The MAC of that record."""
    cause: str
    """`age` or `size`."""


def compress_closed(directory: Path) -> None:
    """Compress what is closed and not compressed yet. What cannot be is logged, and stays as it is."""
    for segment in closed_segments(directory):
        if segment.path.suffix == ".gz":
            continue
        try:
            compress(segment.path)
        except OSError as error:
            logger.warning("%s cannot be compressed: %s", segment.path, error.strerror)


def oldest_expired(directory: Path, *, before_ns: int | None, most_bytes: int | None) -> Expired | None:
    """The oldest closed segment, if it is to go; None otherwise. Only ever the oldest, so that no gap appears.

    It goes when its last record is older than `before_ns` (UTC since 1970), or while all segments together, the
    open one included, have more than `most_bytes`. One that cannot be read is kept, and logged.
    """
    closed = closed_segments(directory)
    if not closed:
        return None
    oldest = closed[0]
    try:
        if before_ns is not None and oldest.path.stat().st_mtime_ns < before_ns:
            cause = "age"
        elif most_bytes is not None and _total_bytes(directory) > most_bytes:
            cause = "size"
        else:
            return None
        line = read_line(last_lines(oldest)[0])
    except (OSError, UnreadableError) as error:
        logger.error("an old audit segment cannot be removed: %s", error)
        return None
    if line is None:
        logger.error("%s is not removed: it does not end with a record; run `gateway audit verify`", oldest.path)
        return None
    return Expired(oldest.path, line.seq, line.mac, cause)


def _total_bytes(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.glob("journal*.jsonl*") if path.suffix in {".jsonl", ".gz"})
