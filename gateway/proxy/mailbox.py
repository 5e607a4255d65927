"""What a server says of its own accord, between the one stream it says everything on and the agent's own.

An agent that listens holds the server up until it has read; while none does, little is kept and the oldest goes first.
"""

import asyncio
import collections
import logging
from collections.abc import AsyncIterator, Callable
from typing import Final

logger = logging.getLogger(__name__)

MAX_HELD_BYTES: Final = 1 << 20


class Mailbox:
    """The messages of one session."""

    def __init__(self) -> None:
        self.is_read = False
        """Whether an agent listens."""
        self._events: collections.deque[bytes] = collections.deque()
        self._held_bytes = 0
        self._is_open = True
        self._has_dropped = False
        self._changed = asyncio.Event()

    async def put(self, event: bytes) -> None:
        """Keep an event, once there is room for it or nobody listens."""
        await self._until(lambda: not (self.is_read and self._events and self._is_too_full(event)))
        while self._events and self._is_too_full(event):
            self._drop()
        self._events.append(event)
        self._held_bytes += len(event)
        self._changed.set()

    def read(self) -> AsyncIterator[bytes]:
        """The events as they come, until the end. The agent listens from now on, until `release` or the end."""
        self.is_read = True
        return self._read()

    def release(self) -> None:
        """The agent no longer listens."""
        self.is_read = False
        self._changed.set()

    def close(self) -> None:
        """Nothing more will come."""
        self._is_open = False
        self._changed.set()

    async def _read(self) -> AsyncIterator[bytes]:
        try:
            while True:
                await self._until(lambda: bool(self._events) or not self._is_open)
                if not self._events:
                    return
                yield self._take()
        finally:
            self.release()

    def _drop(self) -> None:
        if not self._has_dropped:
            logger.warning("messages of a server's are dropped, the oldest first: the agent does not listen")
        self._has_dropped = True
        self._take()

    def _is_too_full(self, event: bytes) -> bool:
        return self._held_bytes + len(event) > MAX_HELD_BYTES

    def _take(self) -> bytes:
        event = self._events.popleft()
        self._held_bytes -= len(event)
        self._changed.set()
        return event

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._changed.clear()
            await self._changed.wait()
