"""A recorded decision, explained as far as the journal tells: what was decided and, where values were kept, how."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from gateway.audit.reader import Record, records
from gateway.cli.past_calls import is_judged, past_call
from gateway.errors import GatewayError
from gateway.policy.compiled import CallTable
from gateway.policy.decision import Call, Decision, LimitStatus, Verdict
from gateway.policy.engine import Engine
from gateway.policy.explain import Explanation, Stage, explain
from gateway.policy.knowledge import UnknownError
from gateway.policy.memory_budget import MemoryBudget
from gateway.policy.prospect import prospect
from gateway.policy.replay import PastCall

_COUNTED = (Stage.CONCURRENCY, Stage.LIMITS)


class Recorded(msgspec.Struct, frozen=True):
    """What a record tells of a decision."""

    explanation: Explanation
    """Without steps where it is not known how the decision came about."""
    notes: list[str]
    """What is not known, and why."""


def find_decision(directory: Path, id: str) -> Record:
    """The record of the decision with this id. Raises GatewayError."""
    for record in records(directory):
        if record["type"] == "decision" and record["id"] == id:
            return record
    raise GatewayError(f"--decision: {directory} has no decision {id}; `gateway audit search` finds ids")


def explain_record(record: Record, engines: Iterable[Engine]) -> Recorded:
    """Explain a decision; `engines` are of the policies that are known today.

    Raises GatewayError for a message that no policy has judged.
    """
    if not is_judged(record):
        raise GatewayError(f"--decision: {record['method']} was decided by {record['rule']}, which is no policy's")
    past = past_call(record)
    decision = Decision(Verdict(record["verdict"]), record["rule"], record.get("message", ""), _limit(record))
    revision = record.get("revision", "")
    engine = next((engine for engine in engines if engine.revision == revision), None)
    if engine is None:
        note = f"the policy of that time, revision {revision or 'unknown'}, is not in the configuration any more"
        return Recorded(_without_steps(past, decision), [note])
    return _by_policy(past, decision, engine)


def _by_policy(past: PastCall, decision: Decision, engine: Engine) -> Recorded:
    table = engine.policy.entry_of(past.kind, past.target or "").judge
    try:
        arguments = past.knowledge.whole() if isinstance(table, CallTable) else {}
    except UnknownError as error:
        found = prospect(table, past.knowledge, is_approved=past.is_approved) if isinstance(table, CallTable) else None
        missing = found.unknown if found and found.unknown else (str(error),)
        note = f"not all arguments were kept (`audit.keep`), so not every step is known: {', '.join(missing)}"
        return Recorded(_without_steps(past, decision), [note])
    call = Call(past.kind, past.target or "", arguments, past.is_approved, past.is_free)
    now = explain(engine, call, MemoryBudget(engine.policy.counters), past.time_ns, past.time_ns)
    steps = tuple(step for step in now.steps if step.stage not in _COUNTED)
    decisive = next((step for step in steps if step.rule == decision.rule and step.verdict is not Verdict.ALLOW), None)
    notes = ["how much was left of each limit was not kept"] if len(steps) < len(now.steps) else []
    return Recorded(Explanation(call, decision, steps, decisive), notes)


def _without_steps(past: PastCall, decision: Decision) -> Explanation:
    return Explanation(Call(past.kind, past.target or "", {}), decision, (), None)


def _limit(record: Record) -> LimitStatus | None:
    if "limit" not in record:
        return None
    return LimitStatus(
        record["limit"], record.get("limit_max", 0), record.get("remaining", 0), record.get("retry_after_ms")
    )
