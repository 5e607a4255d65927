"""How often each peer was refused, and why, so that whoever sends bad requests does not set the rate of our log.

The first refusals of a minute are told one by one and the rest in one sum. `record` counts here, and tells.
"""

from typing import Final

import msgspec

from gateway.clock import Clock

TOLD_ONE_BY_ONE: Final = 30
"""In a window, for one peer and reason."""
WINDOW_NS: Final = 60_000_000_000
# Addresses are cheap for whoever has a network of them; those beyond are counted together.
MAX_SOURCES: Final = 1024
OTHERS: Final = "others"


class Sum(msgspec.Struct, frozen=True):
    """The refusals of one window that were not told one by one."""

    peer: str
    """`OTHERS` for peers that were too many to tell apart."""
    reason: str
    count: int


class RefusalTally:
    """The windows that are open: one for each peer and reason, from its first refusal on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}
        """The one that began first, first."""

    def is_told(self, peer: str, reason: str) -> bool:
        """Count one refusal. Whether it is told by itself: otherwise it will be part of a sum."""
        source = (peer, reason)
        if source not in self._windows and len(self._windows) >= MAX_SOURCES:
            source = (OTHERS, reason)
        window = self._windows.setdefault(source, _Window(self._clock.monotonic_ns() + WINDOW_NS))
        window.count += 1
        return window.count <= TOLD_ONE_BY_ONE

    def sums(self, *, at_once: bool = False) -> list[Sum]:
        """Close the windows that are over, or all of them, and give the sums of those that have one."""
        now_ns = self._clock.monotonic_ns()
        over = [source for source, window in self._windows.items() if at_once or window.end_ns <= now_ns]
        closed = [(source, self._windows.pop(source).count - TOLD_ONE_BY_ONE) for source in over]
        return [Sum(*source, count) for source, count in closed if count > 0]


class _Window(msgspec.Struct):
    end_ns: int
    count: int = 0
