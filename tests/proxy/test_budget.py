"""What a grant has to spend, on the real table of counters."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import fastpath
from gateway.clock import ManualClock
from gateway.errors import CountersFullError
from gateway.proxy import budget as budget_module
from gateway.proxy.budget import GrantBudget
from gateway.proxy.in_flight import InFlight
from gateway.store.counters import CounterStore
from tests.support.policies import engine


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CounterStore]:
    """A table of counters with room for eight."""
    store = CounterStore.open(tmp_path / "counters", ManualClock(), boot_id="boot", entries=8, words=256)
    yield store
    store.close()


def budget(store: CounterStore, grant: str, scope: str, in_flight: InFlight | None = None) -> GrantBudget:
    """A budget of one counter with this scope."""
    limit: dict[str, Any] = {"counter": "c", "window": "minute", "max": 3, "scope": scope}
    counters = engine(tools={"t": {"limits": [limit]}}).policy.counters
    return GrantBudget(store, in_flight or InFlight(), "binassist", "p", grant, counters)


def place(budget: GrantBudget, session: str | None = None) -> int:
    """Where the counter lives: the word that changes when it is spent on."""
    found = budget.in_session(session, 1)
    found.bind(0)
    _, _, _, receipt = fastpath.decide(_program(), {}, found.words, found.slots, 1, 1)
    assert receipt is not None
    fastpath.rollback(found.words, receipt, 1)
    return receipt[0][3]


def test_scopes_say_what_is_counted_apart(store: CounterStore):
    """Grants, sessions of a grant, or nothing: all grants of the policy together."""
    places = {
        scope: [
            place(budget(store, grant, scope), session)
            for grant, session in [("alice", None), ("alice", "s"), ("bob", None), ("bob", "s")]
        ]
        for scope in ("grant", "server", "session")
    }
    assert [len(set(found)) for found in places.values()] == [2, 1, 4]
    assert places["grant"][0] == places["grant"][1]
    # Without a session, the grant itself is what is counted.
    assert places["session"][0] == places["grant"][0]


def test_more_sessions_than_a_grant_may_have_share_its_own_budget(store: CounterStore, monkeypatch: pytest.MonkeyPatch):
    """Opening sessions takes no room from other grants; one whose window has passed makes place for another."""
    monkeypatch.setattr(budget_module, "MAX_SESSIONS", 2)
    alice = budget(store, "alice", "session")
    first, second = (alice.in_session(session, 1) for session in ("s1", "s2"))
    assert first is alice.in_session("s1", 2)
    assert len({id(alice), id(first), id(second)}) == 3
    minute_ns = 60_000_000_000
    assert alice.in_session("s3", minute_ns) is alice
    assert alice.in_session("s3", minute_ns + 1) is not alice
    assert alice.in_session("s1", minute_ns + 2) is first
    assert alice.in_session("s2", minute_ns + 2) is alice


def test_long_counters_leave_room_for_fewer_sessions(store: CounterStore, monkeypatch: pytest.MonkeyPatch):
    """What counts is how many words they take; one session has its own budget in any case."""
    for words, sessions in ((10, 2), (1, 1)):
        monkeypatch.setattr(budget_module, "MAX_SESSION_WORDS", words)
        alice = budget(store, "alice", "session")
        found = [alice.in_session(f"s{number}", 1) for number in range(4)]
        assert [one is alice for one in found].count(False) == sessions


def test_without_counters_of_sessions_there_is_one_budget(store: CounterStore):
    """Nothing is kept for each session that comes by."""
    alice = budget(store, "alice", "grant")
    assert alice.in_session("s", 1) is alice
    assert alice.in_session(None, 1) is alice


def test_calls_in_flight_are_the_grants_in_whatever_session(store: CounterStore):
    """A bound on them holds for all sessions together."""
    in_flight = InFlight()
    alice = budget(store, "alice", "session", in_flight)
    in_flight.take(("binassist", "alice"), ["r"])
    assert alice.in_flight("r") == alice.in_session("s", 1).in_flight("r") == 1
    assert budget(store, "bob", "session", in_flight).in_flight("r") == 0


def test_a_full_table_has_no_room_for_another_session(store: CounterStore):
    """It raises, and no live counter is evicted."""
    alice = budget(store, "alice", "session")
    now_ns = ManualClock().monotonic_ns()
    for number in range(8):
        found = alice.in_session(str(number), now_ns)
        found.bind(0)
        fastpath.decide(_program(), {}, found.words, found.slots, now_ns, 0)
    with pytest.raises(CountersFullError):
        alice.in_session("one more", now_ns).bind(0)


def _program() -> fastpath.Program:
    limit = fastpath.Limit(0, fastpath.SLIDING_WINDOW, 60_000_000_000, 3, 3, 1)
    return fastpath.Program((), (), (), (), (limit,))
