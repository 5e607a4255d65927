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
    assert (lag.late_s, lag.worst_s) == (0, 0.2)


def test_what_is_told_is_of_late():
    """The worst is forgotten after about a second."""
    lag = LoopLag(lambda: 0.1)
    lag.seen(3.0)
    for _ in range(19):
        lag.seen(0.001)
    assert lag.worst_s == 3.0
    lag.seen(0.001)
    assert lag.worst_s == 0.001


async def test_a_loop_that_is_held_up_is_seen():
    """What blocks the loop shows in the next look."""
    lag, tasks = LoopLag(lambda: 0.1), Tasks()
    tasks.spawn(lag.run(), "look")
    await asyncio.sleep(0)
    time.sleep(INTERVAL_S + 0.2)  # noqa: ASYNC251 - the very thing that is measured
    await eventually(lambda: lag.worst_s >= 0.2)
    await tasks.close()
