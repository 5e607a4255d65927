"""The wait between failures of a process."""

from gateway.clock import ManualClock
from gateway.proxy.backoff import Backoff


def fail(backoff: Backoff, clock: ManualClock) -> float:
    """A failure, and the wait after it, which is waited out."""
    backoff.failed()
    remaining_s = backoff.remaining_s
    clock.advance(seconds=remaining_s)
    return remaining_s


def test_the_wait_doubles_up_to_half_a_minute():
    """It begins with half a second, and ends exactly when it says."""
    clock = ManualClock()
    backoff = Backoff(clock)
    assert backoff.remaining_s == 0
    assert [fail(backoff, clock) for _ in range(8)] == [0.5, 1, 2, 4, 8, 16, 30, 30]
    backoff.failed()
    clock.advance(seconds=29.999)
    assert 0 < backoff.remaining_s < 0.0011
    clock.advance(seconds=0.001)
    assert backoff.remaining_s == 0


def test_failures_at_once_are_one():
    """Ten processes that die together do not make the wait a thousand times as long."""
    clock = ManualClock()
    backoff = Backoff(clock)
    for _ in range(10):
        backoff.failed()
    assert backoff.remaining_s == 0.5


def test_a_process_that_lived_ends_the_series():
    """The next failure is a first one; a wait that has begun goes on."""
    clock = ManualClock()
    backoff = Backoff(clock)
    for _ in range(3):
        fail(backoff, clock)
    backoff.succeeded()
    assert fail(backoff, clock) == 0.5
    backoff.failed()
    backoff.succeeded()
    assert backoff.remaining_s == 1
