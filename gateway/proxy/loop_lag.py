"""How late the event loop is: the one sign of a gateway that has more to do than it can.

`admission` refuses work by it, and Prometheus is told.
"""

import asyncio
from collections.abc import Callable
from typing import Final

INTERVAL_S: Final = 0.05


class LoopLag:
    """Looks again and again how much later than asked for it is called."""

    def __init__(self, bound_s: Callable[[], float], tell: Callable[[float], None] = lambda _: None) -> None:
        """`bound_s` is how late the loop may be; `tell` is given each lateness, in seconds."""
        self._bound_s = bound_s
        self._tell = tell
        self.late_s = 0.0
        """For how long the loop has been later than it may, without a break; 0 when it is not."""

    async def run(self) -> None:
        """Look for as long as the gateway runs."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL_S
            await asyncio.sleep(INTERVAL_S)
            self.seen(max(0.0, loop.time() - due))

    def seen(self, lag_s: float) -> None:
        """The loop was this late, after an interval."""
        self._tell(lag_s)
        self.late_s = self.late_s + INTERVAL_S + lag_s if lag_s > self._bound_s() else 0.0
