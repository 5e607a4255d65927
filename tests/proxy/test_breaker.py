"""When a server is given up, and when it is tried again."""

import pytest

from gateway.clock import ManualClock
from gateway.proxy.breaker import LONGEST_NS, TRIAL_NS, Breaker

PAUSE_S = 5.0
# The longest and the shortest that chance makes of it.
LONGEST_PAUSE_S, SHORTEST_PAUSE_S = 6.0, 4.0


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def opened(clock: ManualClock) -> Breaker:
    """One that has just seen three failures."""
    breaker = Breaker(clock, failures=3, pause_s=PAUSE_S)
    for _ in range(3):
        assert breaker.wait_s() == 0
        breaker.failed()
    return breaker


def test_only_failures_in_a_row_open_it(clock: ManualClock):
    """An answer between them begins the count anew."""
    breaker = Breaker(clock, failures=3, pause_s=PAUSE_S)
    for _ in range(5):
        breaker.failed()
        breaker.failed()
        breaker.answered()
    assert not breaker.is_open


def test_nothing_passes_for_about_the_pause(opened: Breaker, clock: ManualClock):
    """The wait that is told is the one that there is, and never far from the pause."""
    wait_s = opened.wait_s()
    assert SHORTEST_PAUSE_S <= wait_s <= LONGEST_PAUSE_S
    clock.advance(seconds=wait_s - 0.001)
    assert opened.wait_s() > 0
    clock.advance(seconds=0.001)
    assert opened.wait_s() == 0


def test_one_trial_at_a_time(opened: Breaker, clock: ManualClock):
    """While it is under way nothing else passes; its answer lets everything through."""
    clock.advance(seconds=LONGEST_PAUSE_S)
    assert opened.wait_s() == 0
    assert 0 < opened.wait_s() <= TRIAL_NS / 1e9
    assert opened.is_open
    opened.answered()
    assert (opened.is_open, opened.wait_s()) == (False, 0)
    opened.failed()
    assert not opened.is_open


def test_a_trial_that_fails_makes_the_pause_longer(opened: Breaker, clock: ManualClock):
    """It doubles each time, up to a minute, give or take a fifth."""
    waits = []
    for _ in range(8):
        waits.append(opened.wait_s())
        clock.advance(seconds=waits[-1])
        assert opened.wait_s() == 0
        opened.failed()
    assert 2 * SHORTEST_PAUSE_S <= waits[1] <= 2 * LONGEST_PAUSE_S
    assert 4 * SHORTEST_PAUSE_S <= waits[2] <= 4 * LONGEST_PAUSE_S
    assert all(wait <= 1.2 * LONGEST_NS / 1e9 for wait in waits)


def test_a_trial_that_takes_long_has_reached_the_server(opened: Breaker, clock: ManualClock):
    """A server that is busy is not down: others pass, and one failure is enough to open it again."""
    clock.advance(seconds=LONGEST_PAUSE_S)
    assert opened.wait_s() == 0
    clock.advance(ns=TRIAL_NS)
    assert [opened.wait_s() for _ in range(3)] == [0, 0, 0]
    assert not opened.is_open
    opened.failed()
    assert opened.wait_s() > LONGEST_PAUSE_S


def test_failures_of_what_was_sent_before_change_nothing(opened: Breaker):
    """Many calls that fail together are no reason for a longer pause."""
    before = opened.wait_s()
    for _ in range(10):
        opened.failed()
    assert opened.wait_s() == before
