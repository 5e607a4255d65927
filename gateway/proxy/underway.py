"""What is under way at this moment: ids in legacy sessions, streams of each grant, and the tasks that handle them."""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from gateway.mcp.codes import INVALID_REQUEST
from gateway.mcp.message import MessageId
from gateway.proxy.reply import CLOSE, Refusal

# So that one grant cannot hold every connection there is (security.md, section G).
MAX_STREAMS: Final = 64
LAST_WORDS_S: Final = 1.0

ID_IN_FLIGHT: Final = "id_in_flight"
"""The reason of a refusal: the id belongs to another request."""


class Underway:
    """The exchanges of one listener."""

    def __init__(self) -> None:
        self._ids: set[tuple[str, str, str]] = set()
        self._streams: collections.Counter[tuple[str, str]] = collections.Counter()
        """How many there are, by server and grant."""
        self._working: set[asyncio.Task[Any]] = set()
        self._listening: set[asyncio.Task[Any]] = set()
        self._cuts: set[asyncio.Timeout] = set()
        self._is_cut = False
        self.draining = asyncio.Event()
        """Set once nothing more is taken: streams that carry answers end with the last of them."""

    @contextlib.contextmanager
    def exchange(self) -> Iterator[None]:
        """The current task handles a request, until the context ends."""
        current = {task for task in (asyncio.current_task(),) if task is not None}
        self._working |= current
        try:
            yield
        finally:
            self._working -= current
            self._listening -= current

    def check_open(self) -> None:
        """Raises `Refusal` (503) once the drain has begun."""
        if self.draining.is_set():
            headers = {"Retry-After": "1", **CLOSE}
            raise Refusal(503, "draining", "The gateway is stopping; try again.", headers=headers)

    def hold_id(self, server: str, session: str, id: MessageId) -> Callable[[], None]:
        """Keep an id to its request until the function that is returned is called.

        Servers mix up the answers to two requests of one session with one id, and some take 7 and "7" for one:
        a list could arrive as the answer to something that is not filtered. Raises `Refusal` (400).
        """
        held = (server, session, str(id))
        if held in self._ids:
            raise Refusal(400, ID_IN_FLIGHT, "A request with this id is under way.", code=INVALID_REQUEST, id=id)
        self._ids.add(held)
        return lambda: self._ids.discard(held)

    def streams(self, server: str) -> int:
        """How many streams are held on a server."""
        return sum(count for (name, _), count in self._streams.items() if name == server)

    def hold_stream(self, server: str, grant: str, *, carries_answers: bool = False) -> Callable[[], None]:
        """The current task's answer is a stream, until the function that is returned is called.

        It only listens, and so is cut when the gateway stops, unless it carries the answers to calls. Raises
        `Refusal` (503) where the grant has too many.
        """
        held = (server, grant)
        if self._streams[held] >= MAX_STREAMS:
            headers = {"Retry-After": "10"}
            raise Refusal(503, "streams", f"This grant has {MAX_STREAMS} streams open already.", headers=headers)
        self._streams[held] += 1
        if carries_answers:
            return lambda: self._streams.subtract([held])
        current = {task for task in (asyncio.current_task(),) if task is not None}
        self._working -= current
        self._listening |= current
        return lambda: self._streams.subtract([held])

    @contextlib.asynccontextmanager
    async def until_cut(self) -> AsyncIterator[None]:
        """Work that may go on while the gateway drains. Raises `TimeoutError` when the time for that is over."""
        async with asyncio.timeout(0 if self._is_cut else None) as cut:
            self._cuts.add(cut)
            try:
                yield
            finally:
                self._cuts.discard(cut)

    async def drain(self, seconds: float) -> None:
        """Take no more, end the streams that only listen at once, and everything else within `seconds`.

        Whoever works under `until_cut` has `LAST_WORDS_S` to say that it has been cut off.
        """
        self.draining.set()
        for stream in self._listening:
            stream.cancel()
        await self._wait(seconds)
        self._is_cut = True
        for cut in self._cuts:
            cut.reschedule(asyncio.get_running_loop().time())
        await self._wait(LAST_WORDS_S)
        for task in self._working | self._listening:
            task.cancel()

    async def _wait(self, seconds: float) -> None:
        """Until all has ended, for at most so long."""
        if under_way := self._working | self._listening:
            await asyncio.wait(under_way, timeout=seconds)
