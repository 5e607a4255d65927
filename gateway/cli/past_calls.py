"""The calls of a journal as a replay wants them: those that a policy has decided, and the ends of those that ran."""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from gateway.audit.event import MAX_KEYS, MAX_TEXT
from gateway.audit.reader import Record
from gateway.policy import names
from gateway.policy.decision import Kind, Verdict
from gateway.policy.knowledge import Knowledge
from gateway.policy.replay import PastCall
from gateway.reading.scalars import instant_ns

_KINDS: Final = {"tools/call": Kind.TOOL, "resources/read": Kind.RESOURCE, "prompts/get": Kind.PROMPT}
_BEFORE_POLICIES: Final = {
    names.PROTOCOL,
    names.UNKNOWN_METHOD,
    names.UNKNOWN_TASK,
    names.PINNED,
    names.AUDIT_UNAVAILABLE,
    names.OVERLOADED,
    names.SESSION_LOST,
}
"""Rules that no policy can change anything about."""


class PastEnd(msgspec.Struct, frozen=True):
    """An exchange that is over."""

    id: str
    rolled_back: bool


def past_calls(records: Iterable[Record], *, policy: str | None = None) -> Iterator[PastCall | PastEnd]:
    """In the order of the journal; `policy` for the calls that the policy of this name has judged alone."""
    for record in records:
        match record:
            case {"type": "outcome"}:
                yield PastEnd(record["id"], record.get("rolled_back", False))
            case {"type": "decision"} if is_judged(record) and policy in (None, record.get("policy", "")):
                yield past_call(record)
            case _:
                pass


def past_call(record: Record) -> PastCall:
    """The call of a decision's record that a policy has judged."""
    approval, verdict = record.get("approval", ""), Verdict(record["verdict"])
    target = record.get("target", "")
    return PastCall(
        id=record["id"],
        time_ns=instant_ns(record["time"]),
        server=record["server"],
        policy=record.get("policy", ""),
        grant=record["grant"],
        session=record.get("session") or None,
        kind=_KINDS[record["method"]],
        target=None if len(target) > MAX_TEXT else target,
        knowledge=Knowledge(_keys(record.get("argument_keys", [])), record.get("kept", {})),
        # What a person has denied, or nobody has approved in time, is what the policy has asked about.
        verdict=Verdict.PENDING if approval and verdict is Verdict.DENY else verdict,
        rule=record["rule"],
        is_approved=bool(approval) and verdict in (Verdict.ALLOW, Verdict.THROTTLE),
        is_free=record.get("free", False),
    )


def is_judged(record: Record) -> bool:
    """Whether a policy has judged the message of a decision's record."""
    return record["method"] in _KINDS and record["verdict"] != Verdict.ERROR and record["rule"] not in _BEFORE_POLICIES


def _keys(recorded: list[str]) -> frozenset[str] | None:
    """The names, unless there were too many or too long ones to be recorded."""
    if len(recorded) > MAX_KEYS or any(len(key) > MAX_TEXT for key in recorded):
        return None
    return frozenset(recorded)
