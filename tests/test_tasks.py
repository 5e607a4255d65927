"""Background tasks are kept until done, and end with their owner."""

import asyncio
import gc
import logging

import pytest

from gateway.errors import GatewayError
from gateway.tasks import Tasks


async def test_a_task_is_kept_until_it_is_done():
    """Nobody but its owner refers to the task, and it runs to its end all the same."""
    tasks, done = Tasks(), asyncio.Event()

    async def work() -> None:
        await asyncio.sleep(0)
        gc.collect()
        done.set()

    tasks.spawn(work(), "work")
    assert len(tasks) == 1
    await done.wait()
    await asyncio.sleep(0)
    assert len(tasks) == 0


async def test_the_result_can_be_awaited():
    """A task is an ordinary one to who made it."""

    async def work() -> int:
        return 7

    task = Tasks().spawn(work(), "seven")
    assert task.get_name() == "seven"
    assert await task == 7


async def test_a_failure_is_logged_and_does_not_stop_the_others(caplog: pytest.LogCaptureFixture):
    """The log names the task and the error; the owner can still be closed."""
    caplog.set_level(logging.DEBUG, "gateway.tasks")
    tasks = Tasks()

    async def fail() -> None:
        raise ValueError("broken")

    tasks.spawn(fail(), "the one that fails")
    waiting = tasks.spawn(asyncio.Event().wait(), "the one that waits")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert "the one that fails" in caplog.text
    assert "broken" in caplog.text
    assert not waiting.done()
    await tasks.close()


async def test_closing_cancels_and_waits(caplog: pytest.LogCaptureFixture):
    """When `close` returns, every task has ended, its clean-up included; being cancelled is no failure."""
    caplog.set_level(logging.DEBUG, "gateway.tasks")
    tasks, cleaned_up = Tasks(), []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up.append(True)

    running = [tasks.spawn(work(), "work") for _ in range(3)]
    await asyncio.sleep(0)
    await tasks.close()
    assert cleaned_up == [True] * 3
    assert all(task.cancelled() for task in running)
    assert caplog.records == []


async def test_closing_without_tasks_is_nothing():
    """An owner that never had a task can be closed."""
    tasks = Tasks()
    await tasks.close()
    assert len(tasks) == 0


async def test_the_end_of_what_runs_can_be_waited_for():
    """Nothing is cancelled, and a failure is no reason to stop waiting for the others."""
    tasks, may_end, ended = Tasks(), asyncio.Event(), []

    async def work(number: int) -> None:
        await may_end.wait()
        ended.append(number)
        if number == 1:
            raise GatewayError("an outcome")

    for number in range(3):
        tasks.spawn(work(number), "work")
    asyncio.get_running_loop().call_soon(may_end.set)
    await tasks.finished()
    assert ended == [0, 1, 2]
