"""What is measured by looking: servers that come and go."""

import asyncio
import contextlib
from collections.abc import Awaitable

import pytest

from gateway.clock import ManualClock
from gateway.metrics import Metrics
from gateway.vitals import Vitals


class Looked:
    """A server that is up or not, as the test says."""

    def __init__(self, *, is_up: bool) -> None:
        self.is_up = is_up

    async def is_reachable(self) -> bool:
        """As it was told."""
        return self.is_up


def up(metrics: Metrics, server: str) -> float | None:
    """What the metric says of a server."""
    return metrics.registry.get_sample_value("mcp_gateway_upstream_up", {"server": server})


async def until_it_waits(forever: Awaitable[None], times: int, monkeypatch: pytest.MonkeyPatch, clock: ManualClock):
    """Let a watch run until it has slept so often, each time 50 ms longer than it asked for."""
    slept = 0

    async def sleep(seconds: float) -> None:
        nonlocal slept
        slept += 1
        if slept > times:
            raise asyncio.CancelledError
        clock.advance(seconds=seconds + 0.05)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with contextlib.suppress(asyncio.CancelledError):
        await forever


async def test_servers_are_up_or_not():
    """One for those that take connections, zero for the others, and nothing for one that was taken out."""
    metrics, servers = Metrics("1", "python"), {"a": Looked(is_up=True), "b": Looked(is_up=False)}
    vitals = Vitals(metrics, lambda: servers)
    await vitals.look()
    assert (up(metrics, "a"), up(metrics, "b")) == (1, 0)
    servers["a"].is_up = False
    del servers["b"]
    await vitals.look()
    assert (up(metrics, "a"), up(metrics, "b")) == (0, None)


async def test_servers_are_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch):
    """A server that is added meanwhile is seen at the next look."""
    metrics, clock, servers = Metrics("1", "python"), ManualClock(), {"a": Looked(is_up=True)}
    vitals = Vitals(metrics, lambda: servers)
    await until_it_waits(vitals.watch_servers(), 0, monkeypatch, clock)
    assert (up(metrics, "a"), up(metrics, "b")) == (1, None)
    servers["b"] = Looked(is_up=True)
    await until_it_waits(vitals.watch_servers(), 0, monkeypatch, clock)
    assert up(metrics, "b") == 1
