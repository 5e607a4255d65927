"""Counters in plain memory, for calls that are tried and not run: golden cases, replays, explanations.

It gives out room as the proxy's own budget does, by scope, and is gone when nobody keeps it.
"""

import math
from typing import Final

from gateway import fastpath
from gateway.errors import CountersFullError
from gateway.policy.limits import Counter

# The core takes offset 0 for "not bound", so no block may lie there.
_FIRST_OFFSET: Final = 1
_FIRST_WORDS: Final = 64


class MemoryTable:
    """Where the counters of all grants of one policy live."""

    def __init__(self, room: int | None = None) -> None:
        """`room` is how many counters fit; any number where it is None."""
        self.room = math.inf if room is None else room
        self._blocks: dict[tuple[int, str], int] = {}
        self._end = _FIRST_OFFSET
        self._memory = bytearray(8 * _FIRST_WORDS)
        self.words: fastpath.Words = fastpath.Words(self._memory)

    def __len__(self) -> int:
        """How many counters have room by now."""
        return len(self._blocks)

    def block(self, slot: int, scope: str, counter: Counter) -> int:
        """The offset of the counter's block, which is its tag too. Raises `CountersFullError`."""
        if (slot, scope) not in self._blocks:
            if len(self._blocks) >= self.room:
                raise CountersFullError(f"there is room for {self.room} counters only")
            offset, self._end = self._end, self._end + fastpath.block_length(counter.kind, counter.maximum)
            self._grow()
            self.words[offset] = self._blocks[slot, scope] = offset
        return self._blocks[slot, scope]

    def _grow(self) -> None:
        if 8 * self._end <= len(self._memory):
            return
        # Memory that is lent to `Words` has a fixed size, so what was there moves.
        grown = bytearray(2 * 8 * self._end)
        grown[: len(self._memory)] = self._memory
        self._memory = grown
        self.words = fastpath.Words(grown)


class MemoryBudget:
    """A `Budget`: the counters of one grant in a `MemoryTable`, outside of sessions or in one of them."""

    def __init__(
        self,
        counters: tuple[Counter, ...],
        table: MemoryTable | None = None,
        *,
        grant: str = "",
        session: str | None = None,
    ) -> None:
        """`counters` are those of the policy; grants that share `table` share the counters of the scope `server`."""
        self.table = MemoryTable() if table is None else table
        self.slots = fastpath.Slots(len(counters))
        self.busy: dict[str, int] = {}
        """How many calls are in flight under each concurrency rule."""
        self._counters = counters
        self._grant = grant
        self._session = session
        self._sessions: dict[str, MemoryBudget] = {}

    @property
    def words(self) -> fastpath.Words:
        """The words of the table, which are others when it has grown."""
        return self.table.words

    def bind(self, slot: int) -> None:
        """Find or make the block of the counter in `slot`. Raises `CountersFullError`."""
        counter = self._counters[slot]
        offset = self.table.block(slot, counter.scope_value(self._grant, self._session), counter)
        self.slots.bind(slot, offset, offset)

    def in_flight(self, name: str) -> int:
        """How many calls of the grant `busy` says there are under this rule."""
        return self.busy.get(name, 0)

    def in_session(self, session: str | None, now_ns: int = 0) -> "MemoryBudget":
        """The budget within one session, which has the same calls in flight; the grant's own for None.

        There is no bound on sessions here, so the time does not matter.
        """
        if session is None:
            return self
        if session not in self._sessions:
            budget = MemoryBudget(self._counters, self.table, grant=self._grant, session=session)
            budget.busy = self.busy
            self._sessions[session] = budget
        return self._sessions[session]
