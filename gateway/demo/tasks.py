"""The background tasks of the demo server: jobs that really run and can really be cancelled.

One board serves every session, as BinAssistMCP's task manager does: any session sees and cancels any task.
The server runs the board for as long as it lives; the task tools use it.
"""

import asyncio
import datetime
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec

from gateway.clock import Clock
from gateway.demo.model import ToolError

MAX_TASKS = 100
"""As many as BinAssistMCP keeps."""

_STEPS = 20


class TaskRecord(msgspec.Struct):
    """What is told about one task. `progress` is a percentage; times are ISO 8601, UTC."""

    id: str
    name: str
    metadata: dict[str, str]
    created_at: str
    started_at: str | None = None
    completed_at: str | None = None
    status: Literal["pending", "running", "completed", "cancelled"] = "pending"
    progress: int = 0
    result: str | None = None
    error: str | None = None


class TaskBoard:
    """Every task there is. Use it inside `async with board.running()`."""

    def __init__(self, clock: Clock, *, task_s: float) -> None:
        self._clock = clock
        self._step_s = task_s / _STEPS
        self._records: dict[str, TaskRecord] = {}
        self._jobs: dict[str, asyncio.Task[None]] = {}
        self._group = asyncio.TaskGroup()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The time in which tasks can be started. Leaving it cancels those that still run."""
        async with self._group:
            yield
            for task_id in list(self._jobs):
                self.cancel(task_id)

    def start(self, name: str, tool_name: str) -> TaskRecord:
        """Start a job of this name; its record. `ToolError` when `MAX_TASKS` are running."""
        self._make_room()
        task_id = str(uuid.uuid4())
        record = TaskRecord(task_id, name, {"tool_name": tool_name}, self._now())
        self._records[task_id] = record
        job = self._group.create_task(self._run(record))
        self._jobs[task_id] = job
        job.add_done_callback(lambda _: self._jobs.pop(task_id, None))
        return record

    def find(self, task_id: str) -> TaskRecord | None:
        """The record of a task, if it is known."""
        return self._records.get(task_id)

    def records(self, status: str = "") -> list[TaskRecord]:
        """All tasks, oldest first; only those in `status` when one is given."""
        return [record for record in self._records.values() if status in {"", record.status}]

    def cancel(self, task_id: str) -> bool:
        """Stop a task's job. True if it was still running, False if it had ended or was never there."""
        job = self._jobs.pop(task_id, None)
        if job is None or job.done():
            return False
        job.cancel()
        record = self._records[task_id]
        record.status, record.completed_at = "cancelled", self._now()
        return True

    async def _run(self, record: TaskRecord) -> None:
        record.status, record.started_at = "running", self._now()
        for step in range(1, _STEPS + 1):
            await asyncio.sleep(self._step_s)
            record.progress = 100 * step // _STEPS
        record.status, record.completed_at = "completed", self._now()
        record.result = f"{record.name}: done"

    def _make_room(self) -> None:
        if len(self._records) < MAX_TASKS:
            return
        ended = next((task_id for task_id in self._records if task_id not in self._jobs), None)
        if ended is None:
            raise ToolError(f"{MAX_TASKS} tasks are running; cancel one or wait for one to end")
        del self._records[ended]

    def _now(self) -> str:
        seconds = self._clock.wall_ns() / 1_000_000_000
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="milliseconds")
