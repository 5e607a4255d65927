"""Counters in plain memory, for calls that are only tried."""

import pytest

from gateway import fastpath
from gateway.errors import CountersFullError
from gateway.policy.limits import Counter
from gateway.policy.memory_budget import MemoryBudget, MemoryTable
from tests.support.policies import Caller, caller, engine


def counter(name: str, maximum: int = 1) -> Counter:
    """A sliding window of a minute."""
    return Counter(name, fastpath.SLIDING_WINDOW, 60_000_000_000, maximum, maximum)


def test_room_is_made_as_it_is_needed():
    """What was counted before the table has grown still counts."""
    limits = [{"counter": "small", "window": "day", "max": 2}]
    large = [{"counter": "large", "window": "day", "max": 10_000}]
    grant = caller(tools={"t": {"limits": limits}, "u": {"limits": large}})
    assert grant.call("t").verdict == "allow"
    words = grant.budget.words
    assert all(grant.call("u").verdict == "allow" for _ in range(50))
    assert len(grant.budget.words) > len(words)
    assert [grant.call("t").verdict for _ in range(2)] == ["allow", "throttle"]


def test_room_may_be_bounded():
    """Beyond it nothing is bound; what is bound stays."""
    budget = MemoryBudget((counter("a"), counter("b")), MemoryTable(room=1))
    budget.bind(0)
    budget.bind(0)
    with pytest.raises(CountersFullError, match="room for 1 counters only"):
        budget.bind(1)
    assert len(budget.table) == 1


def test_grants_share_what_is_counted_for_the_server():
    """And nothing else."""
    limits = [{"counter": scope, "window": "day", "max": 2, "scope": scope} for scope in ("grant", "session", "server")]
    alice = Caller(engine(tools={limit["counter"]: {"limits": [limit]} for limit in limits}))
    bob = Caller(alice.engine, alice, "bob")
    left = {}
    for scope in ("grant", "session", "server"):
        alice.call(scope)
        left[scope] = [bob.call(scope).verdict for _ in range(2)]
    assert left == {
        "grant": ["allow", "allow"],
        "session": ["allow", "allow"],
        "server": ["allow", "throttle"],
    }


def test_a_session_is_a_budget_of_its_own_with_the_same_places():
    """Asked for twice, it is the same; without a session it is the grant's."""
    budget = MemoryBudget((counter("a"),))
    budget.busy["/tools/t/concurrency"] = 1
    session = budget.in_session("s")
    assert session is budget.in_session("s") is not budget
    assert budget.in_session(None) is budget
    assert session.in_flight("/tools/t/concurrency") == 1
    assert session.in_flight("/tools/u/concurrency") == 0
