"""Policies for tests: made from plain data, and judged with counters that live in plain memory."""

import json
from typing import Any

from gateway import fastpath
from gateway.clock import ManualClock
from gateway.documents import Document, read_document
from gateway.errors import CountersFullError
from gateway.policy.decision import Call, Decision, Kind
from gateway.policy.engine import Engine
from gateway.policy.limits import Counter
from gateway.policy.load import load_policy
from gateway.policy.model import Policy
from gateway.policy.schemas import NO_SCHEMAS, SchemaSource, ToolSchema, compile_tool_schema
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


class KnownSchemas:
    """The schemas of a server that has listed these tools; more may be added."""

    def __init__(self, schemas: dict[str, Any]) -> None:
        self.known = {tool: compile_tool_schema(schema) for tool, schema in schemas.items()}

    def schema(self, tool: str) -> ToolSchema | None:
        """The tool's schema, if it was listed."""
        return self.known.get(tool)


class MemoryTable:
    """Where the counters of several grants of one policy live: in memory of its own."""

    def __init__(self, counters: tuple[Counter, ...], room: int) -> None:
        self.room = room
        self.blocks: dict[tuple[int, str], int] = {}
        # Word 0 stays unused: an offset of 0 means "not bound".
        self.end = 1
        length = sum(fastpath.block_length(counter.kind, counter.maximum) for counter in counters)
        self.words = fastpath.Words(bytearray(8 * (1 + length * max(1, -(-room // max(1, len(counters)))))))


class MemoryBudget:
    """A grant's counters in plain memory, with room for `room` of them. `beside` shares the memory of another grant."""

    def __init__(
        self,
        counters: tuple[Counter, ...],
        room: int | None = None,
        *,
        grant: str = "alice",
        session: str | None = None,
        beside: "MemoryBudget | None" = None,
    ) -> None:
        self.counters = counters
        self.slots = fastpath.Slots(len(counters))
        self.bound: list[int] = []
        self.busy: dict[str, int] = {}
        """How many calls are in flight under each concurrency rule."""
        self.grant = grant
        self.session = session
        self.table: MemoryTable = (
            beside.table if beside else MemoryTable(counters, 16 * len(counters) if room is None else room)
        )
        self.words = self.table.words
        self._sessions: dict[str, MemoryBudget] = {}

    def bind(self, slot: int) -> None:
        """Bind the slot to the block for its scope, as the real budget does."""
        counter, table = self.counters[slot], self.table
        scopes = {"grant": self.grant, "server": "", "session": f"{self.grant}/{self.session or ''}"}
        key = (slot, scopes[counter.scope])
        if key not in table.blocks:
            if len(table.blocks) >= table.room:
                raise CountersFullError("the table is full")
            table.blocks[key] = table.end
            table.words[table.end] = table.end
            table.end += fastpath.block_length(counter.kind, counter.maximum)
        self.bound.append(slot)
        self.slots.bind(slot, table.blocks[key], table.blocks[key])

    def in_flight(self, name: str) -> int:
        """How many calls are said to be."""
        return self.busy.get(name, 0)

    def in_session(self, session: str | None) -> "MemoryBudget":
        """The budget within a session, which has the same calls in flight."""
        if session is None:
            return self
        if session not in self._sessions:
            budget = MemoryBudget(self.counters, grant=self.grant, session=session, beside=self)
            budget.busy = self.busy
            self._sessions[session] = budget
        return self._sessions[session]


class Caller:
    """One grant that calls: an engine, its budget, and a clock that stands still."""

    def __init__(self, engine: Engine, beside: "Caller | None" = None, grant: str = "alice") -> None:
        self.engine = engine
        self.clock: ManualClock = beside.clock if beside else ManualClock()
        self.budget: MemoryBudget = MemoryBudget(
            engine.policy.counters, grant=grant, beside=beside.budget if beside else None
        )

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
