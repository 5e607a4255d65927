"""How long to wait before a server's process is started again, so that one that cannot live is not started for ever."""

from typing import Final

from gateway.clock import Clock

FIRST_NS: Final = 500_000_000
LONGEST_NS: Final = 30_000_000_000
# A process that dies earlier counts as one that could not be started.
MIN_LIFE_NS: Final = 5_000_000_000


class Backoff:
    """The wait of one server: none, then half a second, doubling."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._wait_ns = 0
        self._until_ns = 0

    @property
    def remaining_s(self) -> float:
        """How long no process must be started; 0 when one may be."""
        return max(0, self._until_ns - self._clock.monotonic_ns()) / 1e9

    def succeeded(self) -> None:
        """A process has lived: the next failure is a first one."""
        self._wait_ns = 0

    def failed(self) -> None:
        """A process could not be started, or died at once: the wait grows."""
        # Several that were started together and failed together are one failure.
        if not self.remaining_s:
            self._wait_ns = min(LONGEST_NS, self._wait_ns * 2) or FIRST_NS
            self._until_ns = self._clock.monotonic_ns() + self._wait_ns
