"""Policies for tests: made from plain data, and judged with counters that live in plain memory."""

import json
from typing import Any

from gateway import fastpath
from gateway.clock import ManualClock
from gateway.documents import Document, read_document
from gateway.errors import CountersFullError
from gateway.policy.decision import Decision
from gateway.policy.engine import Engine
from gateway.policy.limits import Counter
from gateway.policy.load import load_policy
from gateway.policy.model import Policy
from gateway.policy.tables import compile_policy


def document(value: Any) -> Document:
    """The document that a file `policy.json` with this value would be."""
    return read_document(json.dumps(value), "policy.json", "json")


def policy(**fields: Any) -> Policy:
    """A checked policy: `default: deny` unless said otherwise."""
    return load_policy(document({"version": "1", "default": "deny", **fields}))


def engine(**fields: Any) -> Engine:
    """An engine for `policy(**fields)`."""
    return Engine(compile_policy(policy(**fields)))


class MemoryBudget:
    """A grant's counters in memory of its own, with room for `room` of them."""

    def __init__(self, counters: tuple[Counter, ...], room: int | None = None) -> None:
        self.counters = counters
        self.slots = fastpath.Slots(len(counters))
        self.bound: list[int] = []
        self._room = len(counters) if room is None else room
        # Word 0 stays unused: an offset of 0 means "not bound".
        lengths = [fastpath.block_length(counter.kind, counter.maximum) for counter in counters]
        self._offsets = [1 + sum(lengths[:slot]) for slot in range(len(lengths))]
        self.words = fastpath.Words(bytearray(8 * (1 + sum(lengths))))

    def bind(self, slot: int) -> None:
        """Bind the slot to its block, as the real budget does."""
        if len(self.bound) >= self._room:
            raise CountersFullError("the table is full")
        self.bound.append(slot)
        self.words[self._offsets[slot]] = slot + 1
        self.slots.bind(slot, self._offsets[slot], slot + 1)


class Caller:
    """One grant that calls tools: an engine, its budget, and a clock that stands still."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.clock = ManualClock()
        self.budget = MemoryBudget(engine.policy.counters)

    def call(self, tool: str, **arguments: Any) -> Decision:
        """Judge one call now."""
        return self.engine.decide(tool, arguments, self.budget, self.clock.monotonic_ns(), self.clock.wall_ns())


def caller(**fields: Any) -> Caller:
    """A grant with `policy(**fields)`."""
    return Caller(engine(**fields))
