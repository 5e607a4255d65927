"""Refusals are told one by one up to a number in a minute, and then in one sum; memory stays bounded."""

from gateway.clock import ManualClock
from gateway.proxy.refusals import MAX_SOURCES, OTHERS, TOLD_ONE_BY_ONE, RefusalTally, Sum


def test_the_first_ones_are_told_and_the_rest_are_summed():
    """What was told is not part of the sum, which comes when the minute is over, to the nanosecond, and once."""
    clock = ManualClock()
    tally = RefusalTally(clock)
    told = [tally.is_told("10.0.0.9", "unauthenticated") for _ in range(TOLD_ONE_BY_ONE + 412)]
    assert told == [True] * TOLD_ONE_BY_ONE + [False] * 412
    clock.advance(ns=60_000_000_000 - 1)
    assert tally.sums() == []
    clock.advance(ns=1)
    assert tally.sums() == [Sum("10.0.0.9", "unauthenticated", 412)]
    assert tally.sums() == []
    assert tally.is_told("10.0.0.9", "unauthenticated")


def test_each_peer_and_each_reason_is_counted_apart():
    """One that is refused again and again silences nobody else."""
    tally = RefusalTally(ManualClock())
    for _ in range(TOLD_ONE_BY_ONE + 1):
        tally.is_told("10.0.0.9", "unauthenticated")
    assert not tally.is_told("10.0.0.9", "unauthenticated")
    assert tally.is_told("10.0.0.9", "http")
    assert tally.is_told("10.0.0.8", "unauthenticated")


def test_a_minute_with_few_refusals_has_no_sum():
    """There is nothing to add to what was told."""
    clock = ManualClock()
    tally = RefusalTally(clock)
    for _ in range(TOLD_ONE_BY_ONE):
        assert tally.is_told("10.0.0.9", "http")
    assert tally.sums(at_once=True) == []


def test_peers_beyond_a_number_are_counted_together():
    """F65, F66: ten thousand addresses take no more memory than the first thousand."""
    tally = RefusalTally(ManualClock())
    told = [tally.is_told(f"10.0.{number >> 8}.{number & 255}", "http") for number in range(10_000)]
    assert sum(told) == MAX_SOURCES + TOLD_ONE_BY_ONE
    assert len(tally._windows) == MAX_SOURCES + 1
    assert tally.sums(at_once=True) == [Sum(OTHERS, "http", 10_000 - MAX_SOURCES - TOLD_ONE_BY_ONE)]
    assert tally._windows == {}
