"""Looks after the journal while the gateway runs: puts it on the disk, closes and removes segments, notices trouble.

What blocks is done in other threads; records are written on the loop alone. `app` runs it as a task.
"""

import asyncio
import contextlib
import logging
import os
from typing import Final

from gateway.audit import retention
from gateway.audit.bookkeeping import RetentionRecord
from gateway.audit.event import utc_text
from gateway.audit.journal import CHECKPOINT_RECORDS, Journal, JournalError
from gateway.audit_settings import Upkeep
from gateway.clock import Clock

logger = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""How often the files are looked at, and a journal that failed is tried again."""
_CHECKPOINT_NS: Final = 600 * 1_000_000_000
_RETENTION_LOOKS: Final = 60


class Keeper:
    """Keeps one journal."""

    def __init__(self, journal: Journal, clock: Clock, upkeep: Upkeep) -> None:
        self._journal = journal
        self._clock = clock
        self._upkeep = upkeep
        self._checkpointed_ns = clock.wall_ns()
        self._looks = 0

    async def run(self) -> None:
        """Until cancelled."""
        since_look_s = LOOK_S
        while True:
            await self.sync()
            if since_look_s >= LOOK_S:
                since_look_s = 0.0
                await self.look()
            await asyncio.sleep(self._upkeep.sync_s)
            since_look_s += self._upkeep.sync_s

    async def sync(self) -> None:
        """Put what was written on the disk."""
        if self._journal.is_synced:
            return
        try:
            loop = asyncio.get_running_loop()
            # Shielded, because work that is cancelled before its thread takes it would leave the descriptor open.
            await asyncio.shield(loop.run_in_executor(None, _sync, self._journal.descriptor()))
        except OSError as error:
            logger.error("%s: records may not be on the disk: %s", self._journal.path, error.strerror)
            self._journal.doubt()

    async def look(self) -> None:
        """All that is due now, and what trouble there is. Failures are the journal's, which tells of them."""
        # What could not be written is refused or counted where it belongs; here it is tried again.
        with contextlib.suppress(JournalError):
            self._mend()
            self._add_checkpoint()
        if self._journal.is_healthy:
            has_rotated = self._rotate()
            if has_rotated or self._looks % _RETENTION_LOOKS == 0:
                await self._tidy()
        self._looks += 1

    def _mend(self) -> None:
        if not self._journal.is_healthy:
            self._journal.checkpoint()
        if cause := self._journal.displacement():
            self._journal.replace(cause)

    def _add_checkpoint(self) -> None:
        """Now and then, so that an anchor is never far behind."""
        journal, now_ns = self._journal, self._clock.wall_ns()
        is_due = now_ns - self._checkpointed_ns >= _CHECKPOINT_NS and journal.since_checkpoint > 0
        if is_due or journal.since_checkpoint >= CHECKPOINT_RECORDS:
            journal.checkpoint()
            self._checkpointed_ns = now_ns

    def _rotate(self) -> bool:
        journal, upkeep = self._journal, self._upkeep
        is_old = self._clock.wall_ns() - journal.begun_ns >= upkeep.rotate_ns and not journal.is_fresh
        if journal.size < upkeep.rotate_bytes and not is_old:
            return False
        try:
            journal.rotate()
        except OSError as error:
            logger.error("%s cannot be closed to begin the next segment: %s", journal.path, error.strerror)
            return False
        return True

    async def _tidy(self) -> None:
        """Compress what is closed, and remove what is not to be kept, each time with a record before."""
        upkeep, directory = self._upkeep, self._journal.directory
        await asyncio.to_thread(retention.compress_closed, directory)
        before_ns = None if upkeep.keep_ns is None else self._clock.wall_ns() - upkeep.keep_ns
        while expired := await asyncio.to_thread(
            retention.oldest_expired, directory, before_ns=before_ns, most_bytes=upkeep.keep_bytes
        ):
            now = utc_text(self._clock.wall_ns())
            try:
                self._journal.append(
                    RetentionRecord(now, expired.path.name, expired.through, expired.head, expired.cause)
                )
                await asyncio.to_thread(expired.path.unlink)
            except (JournalError, OSError) as error:
                logger.error("%s is not removed: %s", expired.path, error)
                return


def _sync(descriptor: int) -> None:
    """Sync and close. Raises `OSError`."""
    try:
        os.fdatasync(descriptor)
    finally:
        os.close(descriptor)
