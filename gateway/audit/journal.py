"""The append-only journal under `state/audit/`: one JSON line for each record, one write for each line.

A line is in the operating system's hands when `append` returns, so it survives the gateway being killed.
"""

import os
from pathlib import Path
from typing import Final

import msgspec

from gateway.audit.event import AuditRecord
from gateway.errors import GatewayError, StateError
from gateway.lock import Lock

FILE_NAME: Final = "journal.jsonl"


class JournalError(GatewayError):
    """A record could not be written whole. Whatever it would have vouched for must not happen."""


class Journal:
    """The one writer of a journal. A second gateway on the same directory is refused."""

    def __init__(self, directory: Path) -> None:
        """Open or begin the journal. Raises `StateError` when it cannot be had or is in use."""
        self.path = directory / FILE_NAME
        self.is_healthy = True
        """Whether the last record could be written."""
        self._encode = msgspec.json.Encoder().encode
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = Lock.take(directory / f"{FILE_NAME}.lock")
            self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            reason = f"{error.strerror}; it must be a plain file that this user may write"
            raise StateError(f"{self.path}: the audit journal cannot be opened: {reason}") from None
        try:
            self._size = os.fstat(self._file).st_size
            self._end_torn_line()
        except OSError as error:
            os.close(self._file)
            self._lock.release()
            raise StateError(f"{self.path}: the audit journal cannot be written: {error.strerror}") from None

    def append(self, record: AuditRecord) -> None:
        """Write one record. Raises `JournalError`, leaving no part of the line, when it cannot be written whole."""
        self.is_healthy = False
        line = self._encode(record) + b"\n"
        try:
            written = os.write(self._file, line)
            if written != len(line):
                os.ftruncate(self._file, self._size)
        except OSError as error:
            raise JournalError(f"the audit journal cannot be written: {error.strerror}") from None
        if written != len(line):
            raise JournalError("the audit journal cannot be written: no room for a whole line")
        self._size += written
        self.is_healthy = True

    def close(self) -> None:
        """Put everything on the disk and let go of the file."""
        os.fsync(self._file)
        os.close(self._file)
        self._lock.release()

    def _end_torn_line(self) -> None:
        """Keep a line that a crash of the machine cut short apart from the first new one."""
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":
            self._size += os.write(self._file, b"\n")
