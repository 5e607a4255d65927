"""Background tasks that are never lost: each is referenced until done, and a failure is logged.

The only place that makes a task; `asyncio.create_task` is banned elsewhere.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

from gateway.errors import GatewayError

T = TypeVar("T")

logger = logging.getLogger(__name__)


class Tasks:
    """The background tasks of one owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
        """Run `work` in the background. An exception that is no `GatewayError` is logged."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._done)
        return task

    async def finished(self) -> None:
        """Wait until everything that runs now has ended, however it ends."""
        await asyncio.gather(*self._running, return_exceptions=True)

    async def close(self) -> None:
        """Cancel what still runs and wait until it has ended."""
        for task in list(self._running):
            task.cancel()
        await self.finished()

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        # A `GatewayError` is an outcome that whoever awaits the task deals with; anything else is a defect.
        if error is not None and not isinstance(error, GatewayError):
            logger.error("the task %r failed", task.get_name(), exc_info=error)
