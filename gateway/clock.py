"""The only module that reads a clock. Everyone else is handed the time, or a `Clock`."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two readings of time, both in integer nanoseconds."""

    def monotonic_ns(self) -> int:
        """Time that only moves forward, within one boot of the machine. Decides limits."""
        ...

    def wall_ns(self) -> int:
        """UTC since 1970, for calendar windows, expiry and records."""
        ...


class SystemClock:
    """The machine's clocks.

    Wall time is read once, when the clock is made, and then carried forward by the time since boot, suspension
    included. A wall clock that is stepped while the gateway runs therefore never opens a calendar window early,
    and so never adds budget; the step takes effect at the next start.
    """

    def __init__(self) -> None:
        self._wall_offset_ns = time.time_ns() - _since_boot_ns()

    def monotonic_ns(self) -> int:
        """`CLOCK_MONOTONIC`, the same for every process of this boot."""
        return time.monotonic_ns()

    def wall_ns(self) -> int:
        """UTC as it was at the start, plus the time since."""
        return _since_boot_ns() + self._wall_offset_ns


def _since_boot_ns() -> int:
    """Time that goes on while the machine sleeps, where there is such a clock (Linux)."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic_ns()


class ManualClock:
    """A clock that moves only when told to: for tests, golden cases and replays."""

    def __init__(self, *, monotonic_ns: int = 1_000_000_000_000, wall_ns: int = 1_800_000_000_000_000_000) -> None:
        self._monotonic_ns = monotonic_ns
        self._wall_ns = wall_ns

    def monotonic_ns(self) -> int:
        """The monotonic time last set."""
        return self._monotonic_ns

    def wall_ns(self) -> int:
        """The wall time last set."""
        return self._wall_ns

    def advance(self, *, seconds: float = 0, ns: int = 0) -> None:
        """Move both clocks forward together."""
        step = round(seconds * 1_000_000_000) + ns
        self._monotonic_ns += step
        self._wall_ns += step
