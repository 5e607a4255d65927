"""Whether a server is worth a try: one that has failed again and again is left alone for a while.

Told of what was seen by `http_upstream`; servers that are a command have `backoff`.
"""

import secrets
from typing import Final

from gateway.clock import Clock

LONGEST_NS: Final = 60_000_000_000
# A try that has not failed by then has at least reached the server, which takes 2 s at most (`http_pool`).
TRIAL_NS: Final = 3_000_000_000
# So that many gateways do not come back in step.
_JITTER_PERCENT: Final = 20


class Breaker:
    """Counts the failures of one server, and lets nothing through for a while when there are too many in a row.

    After that one request is a trial. While that has neither failed nor been answered nothing else is let through,
    but for `TRIAL_NS` only: a server that takes long to answer is not one that is down.
    """

    def __init__(self, clock: Clock, *, failures: int, pause_s: float) -> None:
        """So many `failures` in a row open it, at first for about `pause_s`."""
        self._clock = clock
        self._most = failures
        self._first_ns = round(pause_s * 1e9)
        self._next_ns = self._first_ns
        self._failures = 0
        self._until_ns = 0
        self._trial_until_ns = 0
        """When the trial that is under way has taken long; 0 where there is none."""

    @property
    def is_open(self) -> bool:
        """Whether nothing is let through, but for a trial."""
        return self._failures >= self._most

    def wait_s(self) -> float:
        """0 for a request that may be sent now, which then has to be; else in how many seconds to ask again."""
        if not self.is_open:
            return 0
        now_ns = self._clock.monotonic_ns()
        if not self._trial_until_ns:
            if now_ns >= self._until_ns:
                self._trial_until_ns = now_ns + TRIAL_NS
                return 0
            return (self._until_ns - now_ns) / 1e9
        if now_ns < self._trial_until_ns:
            return (self._trial_until_ns - now_ns) / 1e9
        # The trial waits for its answer, and so may others. It takes one failure to show otherwise.
        self._failures = self._most - 1
        self._trial_until_ns = 0
        return 0

    def failed(self) -> None:
        """The server could not be connected to, or said that it has failed."""
        if self.is_open and not self._trial_until_ns:
            # Sent before it was opened: that failure says nothing new.
            return
        if not self.is_open:
            self._failures += 1
        if self.is_open:
            self._trial_until_ns = 0
            self._until_ns = self._clock.monotonic_ns() + _jittered(self._next_ns)
            self._next_ns = min(LONGEST_NS, 2 * self._next_ns)

    def answered(self) -> None:
        """The server has answered, whatever it said: everything is let through."""
        self._failures, self._next_ns, self._trial_until_ns = 0, self._first_ns, 0


def _jittered(span_ns: int) -> int:
    percent = 100 - _JITTER_PERCENT + secrets.randbelow(2 * _JITTER_PERCENT + 1)
    return span_ns * percent // 100
