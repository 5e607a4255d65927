"""What a grant has to spend: where in the table of counters each of its counters lives, found at its first use."""

import collections
from collections.abc import Iterator
from typing import Final, Protocol

from gateway import fastpath
from gateway.policy.budget import Budget
from gateway.policy.limits import Counter, core_limit
from gateway.proxy.in_flight import InFlight
from gateway.store.counters import CounterSpec, CounterStore

# How much of the table the sessions of one grant may take up, whoever opens them: all grants share it.
MAX_SESSIONS: Final = 1024
MAX_SESSION_WORDS: Final = 1 << 16


class SessionBudgets(Budget, Protocol):
    """A budget that knows those of its sessions."""

    def in_session(self, session: str | None, now_ns: int) -> Budget:
        """The budget within one session of the protocol's; None where there is none."""
        ...

    def headroom(self, now_ns: int, wall_ns: int) -> Iterator[tuple[Counter, float]]:
        """What is left of each counter that has been used, from 1 to 0, those of every session among them."""
        ...


class GrantBudget:
    """The counters of one grant, outside of sessions or in one of them."""

    def __init__(
        self,
        store: CounterStore,
        in_flight: InFlight,
        server: str,
        policy: str,
        grant: str,
        counters: tuple[Counter, ...],
        session: str | None = None,
    ) -> None:
        self.words = store.words
        self.slots = fastpath.Slots(len(counters))
        self._store = store
        self._in_flight = in_flight
        self._server = server
        self._policy = policy
        self._grant = grant
        self._counters = counters
        self._session = session
        by_session = [counter for counter in counters if counter.scope == "session"]
        words = sum(fastpath.block_length(counter.kind, counter.maximum) for counter in by_session)
        self._most_sessions = max(1, min(MAX_SESSIONS, MAX_SESSION_WORDS // words)) if words else 0
        self._rest_ns = max((counter.rest_ns for counter in by_session), default=0)
        self._sessions: collections.OrderedDict[str, GrantBudget] = collections.OrderedDict()
        """Those that may have spent something, the one used longest ago first."""
        self._used_ns = 0
        self._used: dict[int, fastpath.Limit] = {}
        """For the counters that have been found: what asks how much is left of them."""

    def bind(self, slot: int) -> None:
        """Find or make the block of the counter in `slot`. Raises `CountersFullError`."""
        counter = self._counters[slot]
        spec = CounterSpec(counter.kind, counter.window_ns, counter.maximum, counter.burst)
        key = (self._server, self._policy, counter.name, counter.scope_value(self._grant, self._session))
        self.slots.bind(slot, *self._store.bind(key, spec))
        self._used[slot] = core_limit(counter, slot)

    def in_flight(self, name: str) -> int:
        """How many calls of the grant, in whatever session, hold a place under this concurrency rule."""
        return self._in_flight.count((self._server, self._grant), name)

    def headroom(self, now_ns: int, wall_ns: int) -> Iterator[tuple[Counter, float]]:
        """What is left of each counter that has been used, from 1 to 0, those of every session among them."""
        for slot, limit in self._used.items():
            counter = self._counters[slot]
            left = fastpath.remaining(limit, self.words, self.slots, now_ns, wall_ns)
            yield counter, left / counter.capacity
        for budget in self._sessions.values():
            yield from budget.headroom(now_ns, wall_ns)

    def in_session(self, session: str | None, now_ns: int) -> "GrantBudget":
        """The budget within one session.

        It is the grant's own where no counter is counted by sessions, and for a session that is new while as many as
        the grant may have are not at rest. `now_ns` is monotonic.
        """
        if session is None or not self._most_sessions:
            return self
        budget = self._sessions.get(session)
        if budget is None:
            self._forget_rested(now_ns)
            if len(self._sessions) >= self._most_sessions:
                return self
            owner = (self._server, self._policy, self._grant)
            budget = self._sessions[session] = GrantBudget(
                self._store, self._in_flight, *owner, self._counters, session
            )
        budget._used_ns = now_ns
        self._sessions.move_to_end(session)
        return budget

    def _forget_rested(self, now_ns: int) -> None:
        """Let sessions go whose counters hold no information any more."""
        while self._sessions and next(iter(self._sessions.values()))._used_ns <= now_ns - self._rest_ns:
            self._sessions.popitem(last=False)
