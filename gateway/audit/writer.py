"""The open segment as a file: takes a whole line or nothing, and notices when somebody else was at it.

It knows nothing of records or of the chain; `journal` is its only caller.
"""

import contextlib
import os
from pathlib import Path
from typing import Final

from gateway.audit.segment import open_private

_APPENDING: Final = os.O_RDWR | os.O_CREAT | os.O_APPEND


class SegmentWriter:
    """One file that is appended to. Every method but `close` raises `OSError` when the disk fails."""

    def __init__(self, path: Path) -> None:
        """Open the file, made for this user alone where there is none; a link is not followed."""
        self.file = open_private(path, _APPENDING)
        self.size = os.fstat(self.file).st_size
        """How many bytes are ours; what follows is none of the journal."""
        self.first = 0
        """The number of its first record, once known."""
        self.begun_ns = 0
        """When it was begun, UTC since 1970, once known."""
        self._is_soiled = False

    def write(self, line: bytes) -> None:
        """Append a line, in one system call. Of one that the disk does not take whole nothing is left."""
        if self._is_soiled:
            self.cut(self.size)
        try:
            written = os.write(self.file, line)
            if written != len(line):
                raise OSError(0, "no room for a whole line")
        except OSError:
            # Where even that fails, it is done before the next line.
            self._is_soiled = True
            with contextlib.suppress(OSError):
                self.cut(self.size)
            raise
        self.size += written

    def cut(self, size: int) -> None:
        """Make it this long."""
        os.ftruncate(self.file, size)
        self.size, self._is_soiled = size, False

    def displacement(self, path: Path) -> str:
        """What somebody has done to the file that should be at `path`; empty where it is as we left it."""
        try:
            there = os.lstat(path)
        except FileNotFoundError:
            return "the open segment was removed or renamed"
        if not self.is_at(path):
            return "another file was put in the place of the open segment"
        if there.st_size != self.size and not self._is_soiled:
            return f"the open segment has {there.st_size} bytes where {self.size} were written"
        return ""

    def is_at(self, path: Path) -> bool:
        """Whether the file at `path`, which must exist, is this one."""
        there, ours = os.lstat(path), os.fstat(self.file)
        return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.file)
