"""The clocks: what is promised of the real one, and the one that tests move."""

import time

import pytest

from gateway import clock as clock_module
from gateway.clock import ManualClock, SystemClock


def test_a_step_of_the_wall_clock_is_not_seen(monkeypatch: pytest.MonkeyPatch):
    """Once started, wall time goes on with the time since boot: a stepped clock opens no window early."""
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    monkeypatch.setattr(clock_module, "_since_boot_ns", lambda: 50)
    clock = SystemClock()
    monkeypatch.setattr(time, "time_ns", lambda: 1_900_000_000_000_000_000)
    monkeypatch.setattr(clock_module, "_since_boot_ns", lambda: 80)
    assert clock.wall_ns() == 1_800_000_000_000_000_030


def test_monotonic_time_is_that_of_the_boot():
    """Two clocks of one boot agree, so that a restarted gateway can read the times it left behind."""
    first, second = SystemClock().monotonic_ns(), SystemClock().monotonic_ns()
    assert 0 < first <= second < first + 10_000_000_000


def test_a_manual_clock_stands_still_until_it_is_moved():
    """Both readings move together, by seconds, nanoseconds or both, exactly."""
    clock = ManualClock(monotonic_ns=5, wall_ns=7)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (5, 7)
    clock.advance(seconds=0.3, ns=2)
    assert (clock.monotonic_ns(), clock.wall_ns()) == (300_000_007, 300_000_009)
    clock.advance(ns=-7)
    assert clock.monotonic_ns() == 300_000_000
