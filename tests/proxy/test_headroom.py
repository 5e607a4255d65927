"""What is left of limits, as a metric tells it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.clock import ManualClock
from gateway.metrics import Metrics
from gateway.policy.decision import Call, Kind
from gateway.policy.engine import Engine
from gateway.proxy.budget import GrantBudget
from gateway.proxy.headroom import headroom
from gateway.proxy.identity import Grant
from gateway.proxy.in_flight import InFlight
from gateway.store.counters import CounterStore
from tests.support.grants import grant
from tests.support.policies import engine

CLOCK = ManualClock()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CounterStore]:
    """A table of counters as large as a gateway's."""
    store = CounterStore.open(tmp_path / "counters", CLOCK, boot_id="boot")
    yield store
    store.close()


def limited(store: CounterStore, label: str, judge: Engine) -> Grant:
    """A grant whose counters are in the real table."""
    budget = GrantBudget(store, InFlight(), "binassist", "p", label, judge.policy.counters)
    return msgspec.structs.replace(grant(label), engine=judge, budget=budget)


def limit(scope: str = "grant", **more: Any) -> dict[str, Any]:
    """A tool with one limit of four calls a minute."""
    return {"limits": [{"counter": "c", "window": "minute", "max": 4, "scope": scope, **more}]}


def call(caller: Grant, tool: str = "t", session: str | None = None) -> None:
    """One call that passes."""
    budget = caller.budget.in_session(session, CLOCK.monotonic_ns())
    caller.engine.decide(Call(Kind.TOOL, tool, {}), budget, CLOCK.monotonic_ns(), CLOCK.wall_ns())


def left(*grants: Grant) -> dict[tuple[str, ...], float]:
    """What the metric says."""
    return dict(headroom(grants, Metrics("1", "python"), CLOCK))


@pytest.mark.parametrize("algorithm", ["sliding_window", "fixed_window", "token_bucket"])
def test_each_call_leaves_less(store: CounterStore, algorithm: str):
    """A counter that nobody used is not told; then its share of what it holds goes down to zero."""
    alice = limited(store, "alice", engine(tools={"t": limit(algorithm=algorithm)}))
    assert left(alice) == {}
    told = []
    for _ in range(5):
        call(alice)
        told.append(left(alice)["binassist", "alice", "c"])
    assert told == [0.75, 0.5, 0.25, 0, 0]


def test_a_bucket_is_measured_by_its_burst(store: CounterStore):
    """What a token bucket can give at once is the whole."""
    alice = limited(store, "alice", engine(tools={"t": limit(algorithm="token_bucket", burst=8)}))
    call(alice)
    assert left(alice) == {("binassist", "alice", "c"): 7 / 8}


def test_of_sessions_the_worst_is_told(store: CounterStore):
    """An id of a session is no label."""
    alice = limited(store, "alice", engine(tools={"t": limit("session")}))
    call(alice, session="one")
    call(alice, session="two")
    call(alice, session="two")
    assert left(alice) == {("binassist", "alice", "c"): 0.5}


def test_a_counter_of_a_whole_server_has_no_grant(store: CounterStore):
    """All grants of the policy spend on it together, and it is told once."""
    judge = engine(tools={"t": limit("server")})
    alice, bob = limited(store, "alice", judge), limited(store, "bob", judge)
    call(alice)
    call(bob)
    assert left(alice, bob) == {("binassist", "", "c"): 0.5}


def test_a_large_gateway_is_scraped_at_once(store: CounterStore):
    """200 grants that have used all of 44 tools, 20 of them limited: under 50 ms of CPU and under 2 MB."""
    tools = [f"get_function_{number:02}" for number in range(44)]
    limits = {
        tool: [{"counter": f"{tool}_rate", "window": "minute", "max": 30, "scope": "grant"}] for tool in tools[:20]
    }
    judge = engine(default="allow", tools={tool: {"limits": limit} for tool, limit in limits.items()})
    grants = [limited(store, f"agent-{number:03}", judge) for number in range(200)]
    metrics = Metrics("1.2.3", "cython")
    metrics.saturation.headroom.read = lambda: headroom(grants, metrics, CLOCK)
    for one in grants:
        for tool in tools:
            metrics.decisions.labels("binassist", metrics.grants.admit(one.label), tool, "allow").inc()
            metrics.servers.seconds.labels("binassist", tool).observe(0.02)
            for error_type in ("", "throttle", "failed"):
                metrics.operations.labels("tools/call", tool, error_type).observe(0.02)
        for tool in limits:
            call(one, tool)
    text = metrics.registry.exposition()
    # The first one makes what the others only repeat.
    began = time.process_time()
    assert metrics.registry.exposition().count(b"\n") == text.count(b"\n")
    assert time.process_time() - began < 0.05
    assert len(text) < 2_000_000
    assert text.count(b"mcp_gateway_limit_remaining_ratio{") == 4000
    assert text.count(b"mcp_gateway_decisions_total{") == 8800
