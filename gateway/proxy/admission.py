"""Who may take up the servers' time now, who waits for a turn, and who is turned away at once.

Bounds are everybody's and nobody's policy: what is turned away here was not judged, and has spent nothing. `dispatch`
asks for every request before it is judged.
"""

import asyncio
import collections
import contextlib
from collections.abc import Callable, Iterator
from typing import Final

from gateway.bounds import Bounds
from gateway.errors import GatewayError
from gateway.proxy.in_flight import Owner
from gateway.proxy.loop_lag import LoopLag

# How long the event loop has to have been late before lists are refused, and before everything is.
LISTS_AFTER_S: Final = 1.0
ALL_AFTER_S: Final = 2.0


class OverloadedError(GatewayError):
    """A request that is turned away, and has not run."""


class Admission:
    """The turns of all requests, in the order in which they came as far as each grant's bound allows."""

    def __init__(self, bounds: Callable[[], Bounds], lag: LoopLag) -> None:
        """`bounds` gives those in force."""
        self._bounds = bounds
        self._lag = lag
        self._under_way = collections.Counter[Owner]()
        self._waiting: list[_Waiter] = []

    @property
    def waiting(self) -> int:
        """How many requests wait for their turn."""
        return len(self._waiting)

    def check_load(self, *, is_list: bool) -> None:
        """Raises `OverloadedError` while the event loop is too late to take on more; lists are refused first."""
        if self._lag.late_s >= (LISTS_AFTER_S if is_list else ALL_AFTER_S):
            raise OverloadedError("The gateway is overloaded, so this was not run. Try again in a few seconds.")

    async def turn(self, owner: Owner) -> None:
        """Wait for a grant's turn, which lasts until `leave`.

        Raises `OverloadedError` when too many wait already, or the wait is too long.
        """
        if self._has_room(owner):
            self._enter(owner)
            return
        waiter = _Waiter(owner, asyncio.get_running_loop().create_future())
        self._check_queue(owner)
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout(self._bounds().wait_s):
                await waiter.turn
        except BaseException as error:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            else:
                # The turn came in the same moment, and nobody is there to take it.
                self.leave(owner)
            if isinstance(error, TimeoutError):
                raise _overloaded(f"It waited {self._bounds().wait_s:g} s for its turn") from None
            raise

    @contextlib.contextmanager
    def aside(self, owner: Owner) -> Iterator[None]:
        """Let others have a grant's turn meanwhile. Who comes back was let in already, and so does not wait."""
        self.leave(owner)
        try:
            yield
        finally:
            self._enter(owner)

    def leave(self, owner: Owner) -> None:
        """The turn is over: whoever waits longest and may, is next."""
        self._under_way[owner] -= 1
        if not self._under_way[owner]:
            del self._under_way[owner]
        for waiter in list(self._waiting):
            if self._has_room(waiter.owner):
                self._waiting.remove(waiter)
                self._enter(waiter.owner)
                waiter.turn.set_result(None)

    def _enter(self, owner: Owner) -> None:
        self._under_way[owner] += 1

    def _has_room(self, owner: Owner) -> bool:
        """A grant with nothing under way always has some: others can make it slow, and never keep it out."""
        bounds, own = self._bounds(), self._under_way[owner]
        return not own or (own < bounds.requests_per_grant and self._under_way.total() < bounds.requests)

    def _check_queue(self, owner: Owner) -> None:
        bounds = self._bounds()
        if sum(waiter.owner == owner for waiter in self._waiting) >= bounds.requests_per_grant:
            raise _overloaded(f"This grant has {bounds.requests_per_grant} requests under way and as many waiting")
        if len(self._waiting) >= bounds.requests:
            raise _overloaded(f"The gateway has {bounds.requests} requests under way and as many waiting")


class _Waiter:
    def __init__(self, owner: Owner, turn: asyncio.Future[None]) -> None:
        self.owner = owner
        self.turn = turn


def _overloaded(reason: str) -> OverloadedError:
    return OverloadedError(f"{reason}, so it was not run. Try again in a few seconds.")
