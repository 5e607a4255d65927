"""What another policy would have made of past calls: the calls of a journal, judged again in their order.

Nothing is guessed: a call is undecidable where a value that was not kept matters, or where it depends on whether an
undecidable call before it has spent. Pure; reading a journal is the caller's.
"""

import collections

import msgspec

from gateway import fastpath
from gateway.policy.compiled import CallTable, CompiledPolicy, JudgedLimit, table_of
from gateway.policy.decision import Call, ConcurrencyHold, Decision, Kind, Verdict
from gateway.policy.judging import judge
from gateway.policy.knowledge import Knowledge, UnknownError
from gateway.policy.memory_budget import MemoryBudget, MemoryTable
from gateway.policy.prospect import Prospect, prospect

_Owner = tuple[str, str, str]
"""A server, the name of a policy, and a grant."""


class PastCall(msgspec.Struct, frozen=True):
    """A call as the journal has it."""

    id: str
    time_ns: int
    server: str
    policy: str
    """The name of the one that judged it. Another takes its place, with counters of its own."""
    grant: str
    session: str | None
    kind: Kind
    target: str | None
    """None where the record has it in part only."""
    knowledge: Knowledge
    verdict: Verdict
    """What the policy said then; PENDING also where a person's word came after."""
    rule: str
    is_approved: bool = False
    is_free: bool = False


class Judgement(msgspec.Struct, frozen=True):
    """A past call by another policy."""

    call: PastCall
    verdict: Verdict | None
    """None where it cannot be decided."""
    rule: str = ""
    """The one that decides; empty where several may."""
    unknown: tuple[str, ...] = ()
    """Why it cannot be decided: what was not kept, or what depends on calls before."""

    @property
    def is_changed(self) -> bool:
        """Whether the verdict would have been another."""
        return self.verdict is not None and self.verdict is not self.call.verdict


class _Taken(msgspec.Struct, frozen=True):
    """What a call that runs has taken, until it is over."""

    budget: MemoryBudget
    decision: Decision


class Replay:
    """Judges past calls by one policy, with counters of its own that are full at first."""

    def __init__(self, policy: CompiledPolicy) -> None:
        self._policy = policy
        self._tables: dict[tuple[str, str], MemoryTable] = {}
        self._budgets: dict[_Owner, MemoryBudget] = {}
        self._taken: dict[str, _Taken] = {}
        # When calls may have spent of which nobody knows, by the counter's place in memory.
        self._doubts: dict[tuple[str, str, int, str], list[int]] = collections.defaultdict(list)
        # Calls that ran then, of which nobody knows whether they would have.
        self._perhaps: dict[str, tuple[_Owner, tuple[ConcurrencyHold, ...]]] = {}
        self._now_ns = 0

    def judge(self, call: PastCall) -> Judgement:
        """What becomes of the next call."""
        # Whoever writes a journal takes turns, so its times may be a moment out of order.
        self._now_ns = max(self._now_ns, call.time_ns)
        if call.target is None:
            return Judgement(call, None, unknown=("the whole name of what was called",))
        entry = self._policy.entry_of(call.kind, call.target).judge
        if isinstance(entry, Decision):
            return Judgement(call, entry.verdict, entry.rule)
        found = prospect(entry, call.knowledge, is_approved=call.is_approved)
        if not found.may_pass:
            return _refused(call, found)
        if found.refusals:
            self._doubt(call, entry)
            return Judgement(call, None, unknown=found.unknown)
        return self._passed(call, entry)

    def end(self, id: str, *, rolled_back: bool) -> None:
        """The call of this id is over: its places are free, and what it spent is given back if it cannot have run."""
        self._perhaps.pop(id, None)
        taken = self._taken.pop(id, None)
        if taken is None:
            return
        for hold in taken.decision.holds:
            taken.budget.busy[hold.name] -= 1
        if rolled_back and taken.decision.receipt:
            fastpath.rollback(taken.budget.words, taken.decision.receipt, self._now_ns)

    def _passed(self, past: PastCall, table: CallTable) -> Judgement:
        """The places and limits of a call that its rules let pass."""
        budget = self._budget(past)
        try:
            arguments = {} if past.is_free else _for_costs(table, past.knowledge)
        except UnknownError as error:
            self._doubt(past, table)
            return Judgement(past, None, unknown=(str(error),))
        call = Call(past.kind, past.target or "", arguments, past.is_approved, past.is_free)
        alone = msgspec.structs.replace(table_of(table.name, limits=table.limits), holds=table.holds)
        decision = judge(alone, call, budget, self._now_ns, self._now_ns)
        unknown = self._unknown(past, table, budget) if decision.verdict is Verdict.ALLOW else ()
        if unknown:
            if decision.receipt:
                fastpath.rollback(budget.words, decision.receipt, self._now_ns)
            self._doubt(past, table)
            return Judgement(past, None, unknown=unknown)
        # A call that did not run then has taken no time.
        if decision.verdict is Verdict.ALLOW and past.verdict is Verdict.ALLOW:
            for hold in decision.holds:
                budget.busy[hold.name] = budget.in_flight(hold.name) + 1
            self._taken[past.id] = _Taken(budget, decision)
        return Judgement(past, decision.verdict, decision.rule)

    def _budget(self, call: PastCall) -> MemoryBudget:
        owner = _owner(call)
        if owner not in self._budgets:
            table = self._tables.setdefault((call.server, call.policy), MemoryTable())
            self._budgets[owner] = MemoryBudget(self._policy.counters, table, grant=call.grant)
        return self._budgets[owner].in_session(call.session)

    def _doubt(self, call: PastCall, table: CallTable) -> None:
        """Note that the call may have spent, and may be under way, or not."""
        for limit in () if call.is_free else table.limits:
            self._doubts[_place(call, limit)].append(self._now_ns)
        if table.holds and call.verdict is Verdict.ALLOW:
            self._perhaps[call.id] = (_owner(call), table.holds)

    def _unknown(self, call: PastCall, table: CallTable, budget: MemoryBudget) -> tuple[str, ...]:
        """Why it is not known whether a call that has just spent would have passed; empty where it is."""
        limits = [] if call.is_free else [limit for limit in table.limits if self._is_doubtful(call, limit, budget)]
        spent = [f"whether calls before it have spent on {limit.counter.name}" for limit in limits]
        perhaps = [holds for owner, holds in self._perhaps.values() if owner == _owner(call)]
        crowded = [
            f"whether calls before it are under way, for {hold.name}"
            for hold in table.holds
            if budget.in_flight(hold.name) + sum(hold in holds for holds in perhaps) >= hold.most
        ]
        return (*spent, *crowded)

    def _is_doubtful(self, call: PastCall, limit: JudgedLimit, budget: MemoryBudget) -> bool:
        """Whether calls of which nobody knows may have left no room for this one, which has spent already."""
        doubts = self._doubts[_place(call, limit)]
        horizon_ns = _memory_ns(limit)
        doubts[:] = [time_ns for time_ns in doubts if time_ns > self._now_ns - horizon_ns]
        if not doubts or not limit.counter.is_weighted:
            left = fastpath.remaining(limit.core, budget.words, budget.slots, self._now_ns, self._now_ns)
            return len(doubts) > left
        return True


def _owner(call: PastCall) -> _Owner:
    return call.server, call.policy, call.grant


def _place(call: PastCall, limit: JudgedLimit) -> tuple[str, str, int, str]:
    scopes = {"grant": call.grant, "session": f"{call.grant}\0{call.session or ''}", "server": ""}
    return call.server, call.policy, limit.slot, scopes[limit.counter.scope]


def _memory_ns(limit: JudgedLimit) -> int:
    """How long a counter remembers a call at most."""
    counter = limit.counter
    if counter.kind == fastpath.TOKEN_BUCKET:
        return counter.burst * -(-counter.window_ns // counter.maximum)
    return counter.window_ns


def _refused(call: PastCall, found: Prospect) -> Judgement:
    """For a call that cannot have passed: decided if every rule that may have refused says the same."""
    verdicts = {refusal.verdict for refusal in found.refusals}
    if len(verdicts) > 1:
        return Judgement(call, None, unknown=found.unknown)
    rules = {refusal.rule for refusal in found.refusals}
    return Judgement(call, verdicts.pop(), rules.pop() if len(rules) == 1 else "")


def _for_costs(table: CallTable, knowledge: Knowledge) -> dict[str, object]:
    """Arguments that cost what those of the call did. Raises `UnknownError`."""
    paths = {path for limit in table.limits for path in limit.cost_paths}
    if len(paths) > 1:
        return knowledge.whole()
    return knowledge.about(paths.pop()) if paths else {}
