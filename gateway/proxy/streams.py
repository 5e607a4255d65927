"""The open streams that outlast a decision: each ends with its grant, and is told when the grant's policy changes."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from gateway.proxy.identity import Grant, Identity
from gateway.proxy.notices import Notices


class Streams:
    """Every stream that only listens, and every stream of a session over HTTP+SSE."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._open: set[_Stream] = set()

    def __len__(self) -> int:
        return len(self._open)

    @contextlib.asynccontextmanager
    async def lifetime(self, grant: Grant, notices: Notices | None = None) -> AsyncIterator[None]:
        """For as long as a stream of `grant` is open. Raises `TimeoutError` when the grant ends before it.

        `notices` are those that the stream takes.
        """
        now = self._identity.current(grant)
        async with asyncio.timeout(0 if now is None else self._identity.remaining_s(now)) as end:
            stream = _Stream(grant if now is None else now, end, notices)
            self._open.add(stream)
            try:
                yield
            finally:
                self._open.discard(stream)

    def review(self) -> None:
        """Other grants are in force: end the streams of those that were revoked, and tell of changed policies."""
        for stream in self._open:
            stream.review(self._identity)


class _Stream:
    def __init__(self, grant: Grant, end: asyncio.Timeout, notices: Notices | None) -> None:
        self._grant = grant
        self._end = end
        self._notices = notices

    def review(self, identity: Identity) -> None:
        """Compare the grant as the stream knows it with what it is now."""
        before, now = self._grant, identity.current(self._grant)
        if now is not None:
            self._grant = now
            if self._notices is not None and now.engine.revision != before.engine.revision:
                self._notices.policy_changed()
        if not self._end.expired():
            remaining_s = 0 if now is None else identity.remaining_s(now)
            self._end.reschedule(None if remaining_s is None else asyncio.get_running_loop().time() + remaining_s)
