"""Waiting for what another task or process brings about."""

import asyncio
from collections.abc import Callable


async def eventually(condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Wait until `condition` holds. Raises `TimeoutError` when it does not in time."""
    async with asyncio.timeout(seconds):
        # What is waited for happens in code that knows nothing of tests, and so sets no event.
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
