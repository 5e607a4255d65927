"""The files of a journal: the open segment, the closed ones, and those beside them. Reads; `journal` writes.

A closed segment is named after its first record and is compressed when there is time.
"""

import contextlib
import gzip
import os
import re
import shutil
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from gateway.audit.chain import read_line
from gateway.errors import GatewayError

OPEN_NAME: Final = "journal.jsonl"
KEY_NAME: Final = "audit.key"
"""Of the file with the journal's key, in the state directory."""

_CLOSED: Final = re.compile(r"journal-([0-9]{12,18})\.jsonl(\.gz)?")


class UnreadableError(GatewayError):
    """A segment that cannot be read, or whose compression is damaged."""


class Segment:
    """One file of the journal, open for reading."""

    def __init__(self, first: int, path: Path, file: BinaryIO | None = None) -> None:
        """`first` is the number of its first record, as far as its name or first line says; 0 where neither does."""
        self.first = first
        self.path = path
        self._file = file

    @property
    def is_open(self) -> bool:
        """Whether the gateway still writes to it."""
        return self._file is not None

    def lines(self, offset: int = 0) -> Iterator[bytes]:
        """Its lines from a byte offset on, each with its line end but perhaps the last. Raises `UnreadableError`."""
        try:
            with self._reading() as file:
                file.seek(offset)
                # Delegating to the file itself would close it for whoever stops early.
                yield from iter(file.readline, b"")
        except (OSError, EOFError, zlib.error) as error:
            raise UnreadableError(f"{self.path}: cannot be read: {error}") from None

    @contextlib.contextmanager
    def _reading(self) -> Iterator[BinaryIO]:
        if self._file is not None:
            yield self._file
            return
        try:
            file: BinaryIO = self.path.open("rb")
        except FileNotFoundError:
            # Compressed since it was found.
            file = self.path.with_name(f"{self.path.name}.gz").open("rb")
        with file:
            if file.read(2) == b"\x1f\x8b":
                file.seek(0)
                with gzip.open(file) as unpacked:
                    yield unpacked  # type: ignore[misc]  # it reads as any binary file does
            else:
                yield file


@contextlib.contextmanager
def snapshot(directory: Path) -> Iterator[list[Segment]]:
    """The segments of a journal in their order, as they are now, while a gateway may be writing to it."""
    # The open one is pinned before the others are listed: one that is closed meanwhile is in neither place twice.
    with contextlib.ExitStack() as stack:
        pinned = None
        with contextlib.suppress(FileNotFoundError):
            pinned = stack.enter_context((directory / OPEN_NAME).open("rb"))
        inode = os.fstat(pinned.fileno()).st_ino if pinned else None
        segments = [segment for segment in closed_segments(directory) if _inode(segment.path) != inode]
        if pinned is not None:
            first = read_line(pinned.readline())
            segments.append(Segment(first.seq if first else 0, directory / OPEN_NAME, pinned))
        yield segments


def closed_segments(directory: Path) -> list[Segment]:
    """The closed segments, oldest first."""
    found: dict[int, Path] = {}
    for path in sorted(directory.glob("journal-*.jsonl*")):
        match = _CLOSED.fullmatch(path.name)
        # Where a crash has left both, the plain one sorts first.
        if match is not None:
            found.setdefault(int(match[1]), path)
    return [Segment(first, path) for first, path in sorted(found.items())]


def closed_path(directory: Path, first: int) -> Path:
    """What the segment that begins with this record is called once it is closed."""
    return directory / f"journal-{first:012d}.jsonl"


def last_lines(segment: Segment) -> tuple[bytes, bytes]:
    """Its last line and the one before; empty where there is none. Raises `UnreadableError`."""
    before, last = b"", b""
    for line in segment.lines():
        before, last = last, line
    return last, before


def compress(path: Path) -> None:
    """Replace a closed segment by its compressed form. Raises `OSError`, and then it stays as it was."""
    packed = path.with_name(f"{path.name}.gz")
    draft = path.with_name(f"{path.name}.gz.new")
    status = path.stat()
    with path.open("rb") as source, open(draft, "wb", opener=open_private) as target:
        with gzip.GzipFile(filename="", fileobj=target, mode="wb", compresslevel=6, mtime=0) as packing:
            shutil.copyfileobj(source, packing, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    # Retention goes by when a segment was closed.
    os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
    draft.rename(packed)
    sync_directory(path.parent)
    path.unlink()


def open_private(path: str | Path, flags: int) -> int:
    """Open for this user alone, never through a link."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def sync_directory(directory: Path) -> None:
    """Put the names in a directory on the disk. Raises `OSError`."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None
