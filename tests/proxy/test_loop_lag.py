"""How late the loop is, and for how long it has been."""

import asyncio
import time

import pytest

from gateway.proxy.loop_lag import INTERVAL_S, LoopLag
from gateway.tasks import Tasks
from tests.support.waiting import eventually


def test_lateness_adds_up_until_the_loop_is_in_time():
    """A second of lateness is made of looks that all came too late; one that did not ends it."""
    lag = LoopLag(lambda: 0.1)
    for _ in range(4):
        lag.seen(0.2)
    assert lag.late_s == pytest.approx(4 * (INTERVAL_S + 0.2))
    lag.seen(0.1)
    assert lag.late_s == 0


def test_every_look_is_told():
    """Those that were in time as well."""
    told: list[float] = []
    lag = LoopLag(lambda: 0.1, told.append)
    for lateness in (3.0, 0.001):
        lag.seen(lateness)
    assert told == [3.0, 0.001]


async def test_a_loop_that_is_held_up_is_seen():
    """What blocks the loop shows in the next look."""
    told: list[float] = []
    lag, tasks = LoopLag(lambda: 0.1, told.append), Tasks()
    tasks.spawn(lag.run(), "look")
    await asyncio.sleep(0)
    time.sleep(INTERVAL_S + 0.2)  # noqa: ASYNC251 - the very thing that is measured
    await eventually(lambda: max(told, default=0) >= 0.2)
    await tasks.close()
