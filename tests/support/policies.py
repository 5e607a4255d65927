"""Policies for tests: made from plain data, and judged with counters that live in plain memory."""

import json
from typing import Any

from gateway.clock import ManualClock
from gateway.documents import Document, read_document
from gateway.policy.decision import Call, Decision, Kind
from gateway.policy.engine import Engine
from gateway.policy.load import load_policy
from gateway.policy.memory_budget import MemoryBudget
from gateway.policy.model import Policy
from gateway.policy.schemas import NO_SCHEMAS, SchemaSource
from gateway.policy.tables import compile_policy


def document(value: Any) -> Document:
    """The document that a file `policy.json` with this value would be."""
    return read_document(json.dumps(value), "policy.json", "json")


def policy(**fields: Any) -> Policy:
    """A checked policy: `default: deny` unless said otherwise."""
    return load_policy(document({"version": "1", "default": "deny", **fields}))


def engine(schemas: SchemaSource = NO_SCHEMAS, **fields: Any) -> Engine:
    """An engine for `policy(**fields)`, on a server with these schemas."""
    return Engine(compile_policy(policy(**fields), schemas))


class Caller:
    """One grant that calls: an engine, its budget, and a clock that stands still."""

    def __init__(self, engine: Engine, beside: "Caller | None" = None, grant: str = "alice") -> None:
        self.engine = engine
        self.clock: ManualClock = beside.clock if beside else ManualClock()
        table = beside.budget.table if beside else None
        self.budget: MemoryBudget = MemoryBudget(engine.policy.counters, table, grant=grant)

    def call(self, tool: str, /, **arguments: Any) -> Decision:
        """Judge one call of a tool now."""
        return self.judge(Call(Kind.TOOL, tool, arguments))

    def judge(self, call: Call, session: str | None = None) -> Decision:
        """Judge one call of any kind now."""
        budget = self.budget.in_session(session)
        return self.engine.decide(call, budget, self.clock.monotonic_ns(), self.clock.wall_ns())


def caller(schemas: SchemaSource = NO_SCHEMAS, **fields: Any) -> Caller:
    """A grant with `policy(**fields)`."""
    return Caller(engine(schemas, **fields))
