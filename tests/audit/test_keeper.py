"""What is done beside the records: on the disk in time, segments closed and removed, trouble noticed and mended."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.audit.event import OutcomeRecord
from gateway.audit.journal import Journal, JournalError
from gateway.audit.keeper import Keeper
from gateway.audit.segment import OPEN_NAME, closed_segments
from gateway.audit.verify import verify
from gateway.audit_settings import Upkeep
from gateway.clock import ManualClock
from gateway.tasks import Tasks
from tests.support.journals import of_type, open_journal, seal
from tests.support.waiting import eventually

DAY_S = 24 * 3600


class Kept:
    """A journal on a clock that the test moves, and its keeper."""

    def __init__(self, directory: Path, **settings: object) -> None:
        self.directory = directory
        self.clock = ManualClock()
        self.journal: Journal = open_journal(directory, self.clock)
        self.keeper = Keeper(self.journal, self.clock, Upkeep(**settings))  # type: ignore[arg-type]

    def keeps(self, days: int) -> None:
        """From here on closed segments are kept for so long."""
        self.keeper = Keeper(self.journal, self.clock, Upkeep(rotate_bytes=4096, keep_ns=days * DAY_S * 10**9))

    def append(self, count: int = 1) -> None:
        """Some records."""
        for _ in range(count):
            self.journal.append(OutcomeRecord("x", "2027-01-15T08:00:00.000000Z", "completed"))

    def is_intact(self) -> bool:
        return verify(self.directory, seal()).is_intact


@pytest.fixture
def kept(tmp_path: Path):
    """Segments are small, and kept for ever."""
    kept = Kept(tmp_path, sync_s=0.001, rotate_bytes=4096)
    yield kept
    kept.journal.close()


def failing(*_: object) -> int:
    raise OSError(28, "No space left on device")


async def test_records_are_on_the_disk_soon(kept: Kept):
    """While it runs, whatever is appended is synced without anybody asking, and not on the loop."""
    tasks = Tasks()
    tasks.spawn(kept.keeper.run(), "keep")
    kept.append()
    assert not kept.journal.is_synced
    await eventually(lambda: kept.journal.is_synced)
    await tasks.close()


async def test_one_sync_is_for_all_records_since_the_last(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """And none is done where nothing was written."""
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    kept.append(100)
    for _ in range(3):
        await kept.keeper.sync()
    assert len(synced) == 1


def open_files() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/dev/fd").iterdir()))


async def test_a_sync_that_is_cancelled_before_it_begins_leaves_no_descriptor(kept: Kept):
    """The thread takes it later and closes what it was given."""
    busy = threading.Event()
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    working = asyncio.get_running_loop().run_in_executor(None, busy.wait)
    kept.append()
    before = open_files()
    syncing = asyncio.ensure_future(kept.keeper.sync())
    await asyncio.sleep(0)
    assert open_files() == before + 1
    syncing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await syncing
    busy.set()
    await working
    await eventually(lambda: open_files() == before)


async def test_a_sync_that_fails_makes_the_journal_go_on_elsewhere(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """What was written may be lost on this file, so nothing more is written to it."""
    kept.append()
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", failing)
        await kept.keeper.sync()
        states = [kept.journal.is_healthy]
        await kept.keeper.look()
        states.append(kept.journal.is_healthy)
    await kept.keeper.look()
    assert [*states, kept.journal.is_healthy] == [False, False, True]
    assert len(closed_segments(kept.directory)) == 1
    assert kept.is_intact()


async def test_a_journal_that_failed_is_tried_again(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """It becomes healthy by itself, without a call to record, when the disk has room again."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", failing)
        with pytest.raises(JournalError):
            kept.append()
        await kept.keeper.look()
        states = [kept.journal.is_healthy]
    await kept.keeper.look()
    assert [*states, kept.journal.is_healthy] == [False, True]


async def test_a_large_segment_is_closed_and_compressed(kept: Kept):
    """At the next look after it has grown too large."""
    kept.append(10)
    await kept.keeper.look()
    assert closed_segments(kept.directory) == []
    kept.append(40)
    await kept.keeper.look()
    (closed,) = closed_segments(kept.directory)
    assert closed.path.suffix == ".gz"
    assert kept.is_intact()


async def test_an_old_segment_is_closed_if_there_is_anything_in_it(kept: Kept):
    """A gateway that nobody uses does not leave a file for each day."""
    kept.clock.advance(seconds=DAY_S)
    await kept.keeper.look()
    assert closed_segments(kept.directory) == []
    kept.append()
    await kept.keeper.look()
    assert len(closed_segments(kept.directory)) == 1


async def test_checkpoints_come_with_time_and_with_number(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """Ten minutes after the last, if there is anything new, or after so many records."""
    await kept.keeper.look()
    kept.clock.advance(seconds=600)
    await kept.keeper.look()
    assert len(of_type(kept.directory, "checkpoint")) == 1
    kept.append()
    await kept.keeper.look()
    assert len(of_type(kept.directory, "checkpoint")) == 2
    monkeypatch.setattr("gateway.audit.keeper.CHECKPOINT_RECORDS", 5)
    kept.append(5)
    await kept.keeper.look()
    assert len(of_type(kept.directory, "checkpoint")) == 3


async def test_old_segments_go_with_a_record_of_each(kept: Kept):
    """The rest can still be verified, and says why the beginning is not there."""
    for _ in range(3):
        kept.append(40)
        await kept.keeper.look()
    for days, closed in zip((5, 4, 1), closed_segments(kept.directory), strict=True):
        then_ns = kept.clock.wall_ns() - days * DAY_S * 10**9
        os.utime(closed.path, ns=(then_ns, then_ns))
    kept.keeps(days=2)
    await kept.keeper.look()
    removed = of_type(kept.directory, "retention")
    assert [record["cause"] for record in removed] == ["age", "age"]
    assert len(closed_segments(kept.directory)) == 1
    assert kept.is_intact()


async def test_nothing_is_removed_that_cannot_be_accounted_for(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """Where the record of it cannot be written, the segment stays."""
    kept.append(40)
    await kept.keeper.look()
    os.utime(closed_segments(kept.directory)[0].path, (1, 1))
    kept.append(40)
    kept.keeps(days=2)
    rotate = kept.journal.rotate

    def rotate_into_a_full_disk() -> None:
        rotate()
        monkeypatch.setattr(os, "write", failing)

    monkeypatch.setattr(kept.journal, "rotate", rotate_into_a_full_disk)
    await kept.keeper.look()
    monkeypatch.undo()
    assert len(closed_segments(kept.directory)) == 2
    assert kept.is_intact()


async def test_an_open_segment_that_is_taken_away_is_noticed(kept: Kept, caplog: pytest.LogCaptureFixture):
    """At the next look, loudly, and the records go on in a new one."""
    (kept.directory / OPEN_NAME).rename(kept.directory / "stolen")
    await kept.keeper.look()
    kept.append()
    assert "removed or renamed" in caplog.text
    assert [record["cause"] for record in of_type(kept.directory, "displaced")] == [
        "the open segment was removed or renamed"
    ]


async def test_a_segment_that_cannot_be_closed_stays_open(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Records go on in it, and it is tried again."""
    kept.append(40)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", failing)
        await kept.keeper.look()
    assert "cannot be closed" in caplog.text
    kept.append()
    await kept.keeper.look()
    assert len(closed_segments(kept.directory)) == 1
    assert kept.is_intact()
