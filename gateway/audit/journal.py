"""The one writer of the append-only journal under `state/audit/`: one line for each record, one write for each line.

A line is in the operating system's hands when `append` returns, so it survives the gateway being killed. When to sync,
to close a segment or to remove one is decided by `keeper`, which calls what stands below `append`.
"""

import contextlib
import hashlib
import logging
import os
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from gateway.audit.bookkeeping import Bookkeeping, CheckpointRecord, DisplacedRecord, GapRecord, TornRecord
from gateway.audit.chain import Chain, Seal, read_line
from gateway.audit.event import AuditRecord, is_durable, utc_text
from gateway.audit.reader import decode
from gateway.audit.segment import OPEN_NAME, closed_path, open_private, sync_directory
from gateway.audit.tail import find_tail
from gateway.audit.writer import SegmentWriter
from gateway.clock import Clock
from gateway.errors import GatewayError, StateError
from gateway.lock import Lock
from gateway.reading.scalars import instant_ns

logger = logging.getLogger(__name__)

CHECKPOINT_RECORDS: Final = 10_000
"""At most so many records are added between two checkpoints."""


class JournalError(GatewayError):
    """A record could not be written whole. Whatever it would have vouched for must not happen."""


class Journal:
    """The one writer of a journal. A second gateway on the same directory is refused."""

    def __init__(self, directory: Path, key: bytes, clock: Clock) -> None:
        """Go on with the journal, or begin one.

        Raises `StateError` when it cannot be had, is in use, or its last record was not written with this key.
        """
        self.directory = directory
        self.path = directory / OPEN_NAME
        self.is_healthy = True
        """Whether the last record could be written."""
        self.is_synced = True
        """Whether every record was put on the disk, and is not only in the operating system's hands."""
        self._clock = clock
        self._encode = msgspec.json.Encoder().encode
        self._is_failing = False
        self._lost = 0
        self._cause = ""
        # A sync that failed may have lost what was written before, and a later one would not say so.
        self._is_doubtful = False
        self._checkpointed = 0
        """The number of the last checkpoint of this run."""
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = Lock.take(directory / f"{OPEN_NAME}.lock")
        except OSError as error:
            raise StateError(_cannot_open(self.path, error)) from None
        try:
            self._segment = SegmentWriter(self.path)
            self._resume(Seal(key))
        except OSError as error:
            self._lock.release()
            raise StateError(_cannot_open(self.path, error)) from None
        except StateError:
            self._lock.release()
            raise

    def append(self, record: AuditRecord | Bookkeeping) -> None:
        """Write one record. Raises `JournalError`, leaving no part of the line, when it cannot be written whole.

        What people decide and what changes the gateway itself is on the disk when this returns (`is_durable`).
        """
        try:
            if not self.is_healthy:
                self._mend()
            self._write(record)
            if is_durable(record):
                self.sync()
        except OSError as error:
            self._lost += 1
            self._fail(error)
        self.is_healthy = True

    def fingerprint(self, value: bytes) -> str:
        """A keyed hash, in hex, by which equal values can be told and nothing else."""
        return self._chain.seal.fingerprint(value)

    @property
    def size(self) -> int:
        """How many bytes the open segment has."""
        return self._segment.size

    @property
    def begun_ns(self) -> int:
        """When the open segment was begun: UTC since 1970."""
        return self._segment.begun_ns

    @property
    def is_fresh(self) -> bool:
        """Whether the open segment has no record but the checkpoint it begins with."""
        return self._chain.seq == self._segment.first

    @property
    def since_checkpoint(self) -> int:
        """How many records there are after the last checkpoint."""
        return self._chain.seq - self._checkpointed

    def sync(self) -> None:
        """Put every record on the disk. Raises `OSError`, and then some of them may never get there."""
        self.is_synced = True
        try:
            os.fdatasync(self._segment.file)
        except OSError:
            self.doubt()
            raise

    def descriptor(self) -> int:
        """The open segment for another thread to sync and close, which calls `doubt` where that fails."""
        self.is_synced = True
        return os.dup(self._segment.file)

    def doubt(self) -> None:
        """What was written may not be on the disk. Nothing more is written until a new segment can be begun."""
        self.is_healthy, self._is_doubtful = False, True

    def checkpoint(self) -> None:
        """Write how far the journal has come, and tell it to the log. Raises `JournalError`.

        This is also how to try whether a journal that failed can be written again.
        """
        try:
            if not self.is_healthy:
                self._mend()
            line = self._write(self._checkpoint_record())
            self.sync()
        except OSError as error:
            self._fail(error)
        self.is_healthy = True
        self._tell(line)

    def displacement(self) -> str:
        """What somebody has done to the open segment; empty where it is as we left it."""
        return self._segment.displacement(self.path)

    def replace(self, cause: str) -> None:
        """Go on in a new segment, with a record that says why. Raises `JournalError` when that cannot be."""
        logger.error("%s: %s; the records go on in a new one", self.path, cause)
        try:
            strange = self._begin_segment()
        except OSError as error:
            self._fail(error)
        self.append(DisplacedRecord(self._now(), cause, strange))

    def rotate(self) -> None:
        """Close the open segment and begin the next. Raises `OSError`, and then the open one stays open."""
        self.sync()
        self._begin_segment()

    def close(self) -> None:
        """Put everything on the disk and let go of the file."""
        try:
            os.fsync(self._segment.file)
        except OSError as error:
            logger.error("the end of the audit journal may not be on the disk: %s", error.strerror)
        self._segment.close()
        self._lock.release()

    def _resume(self, seal: Seal) -> None:
        segment = self._segment
        try:
            tail = find_tail(segment.file, self.path, seal)
            self._chain = Chain(seal, tail.seq, tail.head)
            torn = _set_aside(self.directory, tail.torn, self._chain.seq + 1, self._now()) if tail.torn else None
            segment.cut(tail.size)
            if tail.size:
                segment.first, segment.begun_ns = _beginning(self.path)
            else:
                segment.first, segment.begun_ns = self._chain.seq + 1, self._clock.wall_ns()
                self._tell(self._write(self._checkpoint_record()))
            if torn is not None:
                logger.warning("%s ended in the middle of a line, which is kept in %s", self.path, torn.file)
                self._write(torn)
            self.sync()
            sync_directory(self.directory)
        except BaseException:
            segment.close()
            raise

    def _write(self, record: AuditRecord | Bookkeeping) -> bytes:
        line, mac = self._chain.next_line(self._encode(record))
        self._segment.write(line)
        self._chain.advance(mac)
        self.is_synced = False
        return line

    def _mend(self) -> None:
        """Before the first record after a failure: what that has left behind. Raises `OSError`."""
        if self._is_doubtful:
            self._begin_segment()
        if self._is_failing:
            self._write(GapRecord(self._now(), self._lost, self._cause))
            logger.warning("the audit journal can be written again; %d records were not", self._lost)
            self._is_failing, self._lost = False, 0

    def _fail(self, error: OSError) -> NoReturn:
        self._cause = error.strerror or str(error)
        if not self._is_failing:
            logger.error("%s cannot be written: %s", self.path, self._cause)
        self._is_failing, self.is_healthy = True, False
        raise JournalError(f"the audit journal cannot be written: {self._cause}")

    def _begin_segment(self) -> str:
        """Put a new segment in the place of the open one, which is kept under a name of its own.

        It is whole and on the disk before it is put there, so that a failure leaves all as it was. Returns what a
        file is called now that was in the place and not ours.
        """
        draft_path = self.path.with_name(f"{OPEN_NAME}.new")
        draft_path.unlink(missing_ok=True)
        draft = SegmentWriter(draft_path)
        try:
            draft.first, draft.begun_ns = self._chain.seq + 1, self._clock.wall_ns()
            line, mac = self._chain.next_line(self._encode(self._checkpoint_record()))
            draft.write(line)
            os.fdatasync(draft.file)
            strange = self._free_place()
            draft_path.rename(self.path)
        except OSError:
            draft.close()
            raise
        self._segment.close()
        self._segment, self._is_doubtful = draft, False
        self._chain.advance(mac)
        self._tell(line)
        sync_directory(self.directory)
        return strange

    def _free_place(self) -> str:
        try:
            is_ours = self._segment.is_at(self.path)
        except FileNotFoundError:
            return ""
        closed = closed_path(self.directory, self._segment.first)
        if is_ours and not any(self.directory.glob(f"{closed.name}*")):
            self.path.rename(closed)
            return ""
        strange = self.path.with_name(f"displaced-{self._chain.seq:012d}.jsonl")
        self.path.rename(strange)
        return strange.name

    def _checkpoint_record(self) -> CheckpointRecord:
        return CheckpointRecord(self._now(), self._chain.seq, self._chain.head)

    def _tell(self, checkpoint: bytes) -> None:
        """A log that leaves the machine makes this an anchor."""
        self._checkpointed = self._chain.seq
        logger.info("audit checkpoint %s", checkpoint.decode().rstrip())

    def _now(self) -> str:
        return utc_text(self._clock.wall_ns())


def _set_aside(directory: Path, torn: bytes, seq: int, time: str) -> TornRecord:
    """Keep what is no whole line in a file beside, on the disk. Raises `OSError`."""
    name = f"torn-{seq:012d}.bin"
    with open(directory / name, "wb", opener=open_private) as file:
        file.write(torn)
        file.flush()
        os.fsync(file.fileno())
    return TornRecord(time, name, len(torn), hashlib.sha256(torn).hexdigest())


def _beginning(path: Path) -> tuple[int, int]:
    """The number of a segment's first record, and when that was written."""
    with path.open("rb") as file:
        text = file.readline()
    line = read_line(text)
    begun_ns = 0
    if record := decode(text):
        with contextlib.suppress(ValueError):
            begun_ns = instant_ns(record["time"])
    return (line.seq if line else 0), begun_ns


def _cannot_open(path: Path, error: OSError) -> str:
    return (
        f"{path}: the audit journal cannot be opened: {error.strerror}; it must be a plain file that this user may "
        "write, on a disk with room"
    )
