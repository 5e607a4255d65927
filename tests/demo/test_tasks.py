"""Tasks run, end, and can be cancelled."""

import asyncio

import pytest

from gateway.clock import ManualClock
from gateway.demo.model import ToolError
from gateway.demo.tasks import MAX_TASKS, TaskBoard


async def until(condition):
    """Let the loop turn until the condition holds, a bounded number of times."""
    for _ in range(10_000):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to hold")


async def test_a_task_runs_to_its_end():
    """A task goes from pending through running to completed, with progress and times."""
    clock = ManualClock()
    board = TaskBoard(clock, task_s=0)
    async with board.running():
        task = board.start("scan", "get_strings")
        assert (task.status, task.progress, task.metadata) == ("pending", 0, {"tool_name": "get_strings"})
        await until(lambda: 0 < task.progress < 100)
        assert (task.status, task.completed_at) == ("running", None)
        clock.advance(seconds=30)
        await until(lambda: task.status == "completed")
    assert (task.progress, task.result) == (100, "scan: done")
    assert (task.created_at, task.completed_at) == (
        "2027-01-15T08:00:00.000+00:00",
        "2027-01-15T08:00:30.000+00:00",
    )


async def test_a_cancelled_task_stops():
    """Cancelling ends the job itself: its progress stays where it was."""
    board = TaskBoard(ManualClock(), task_s=0)
    async with board.running():
        task = board.start("scan", "get_strings")
        await until(lambda: task.progress > 0)
        assert board.cancel(task.id)
        progress = task.progress
        for _ in range(100):
            await asyncio.sleep(0)
    assert (task.status, task.progress) == ("cancelled", progress)
    assert progress < 100


async def test_only_a_running_task_can_be_cancelled():
    """A task that ended, was cancelled or never was: nothing happens."""
    board = TaskBoard(ManualClock(), task_s=0)
    async with board.running():
        ended, stopped = board.start("a", ""), board.start("b", "")
        assert board.cancel(stopped.id)
        await until(lambda: ended.status == "completed")
        assert [board.cancel(task_id) for task_id in (ended.id, stopped.id, "none")] == [False] * 3
    assert ended.status == "completed"


async def test_tasks_still_running_at_the_end_are_cancelled():
    """The server does not wait for tasks when it stops."""
    board = TaskBoard(ManualClock(), task_s=3600)
    async with board.running():
        task = board.start("long", "")
        await until(lambda: task.status == "running")
    assert task.status == "cancelled"


async def test_tasks_are_listed_by_status():
    """All tasks in the order of their start, or those of one status."""
    board = TaskBoard(ManualClock(), task_s=3600)
    async with board.running():
        one, other = board.start("one", ""), board.start("other", "")
        board.cancel(one.id)
        assert board.records() == [one, other]
        assert board.records("cancelled") == [one]
        assert (board.find(other.id), board.find("none")) == (other, None)


async def test_an_ended_task_makes_room_and_a_running_one_does_not():
    """The board keeps a fixed number of tasks; the oldest that ended goes first."""
    board = TaskBoard(ManualClock(), task_s=3600)
    async with board.running():
        tasks = [board.start(str(i), "") for i in range(MAX_TASKS)]
        with pytest.raises(ToolError, match="100 tasks are running"):
            board.start("more", "")
        board.cancel(tasks[3].id)
        newest = board.start("more", "")
        assert board.records() == [*tasks[:3], *tasks[4:], newest]
