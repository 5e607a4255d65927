"""Records of a journal as past calls."""

from typing import Any

import pytest

from gateway.cli.past_calls import PastEnd, past_call, past_calls
from gateway.policy.decision import Kind, Verdict

RECORD: dict[str, Any] = {
    "type": "decision",
    "id": "1",
    "time": "2027-01-15T08:00:00.000001Z",
    "server": "s",
    "grant": "alice",
    "peer": "127.0.0.1",
    "method": "tools/call",
    "verdict": "allow",
    "rule": "/tools/t",
    "policy": "strict",
    "target": "t",
    "argument_keys": ["a", "b"],
    "kept": {"args.a": 1},
    "session": "5f3a",
}


def test_a_record_has_what_a_replay_needs():
    """To the microsecond."""
    call = past_call(RECORD)
    assert (call.time_ns, call.kind, call.target) == (1_800_000_000_000_001_000, Kind.TOOL, "t")
    assert (call.knowledge.keys, call.knowledge.kept) == (frozenset({"a", "b"}), {"args.a": 1})
    assert (call.session, call.is_approved, call.is_free) == ("5f3a", False, False)
    assert past_call({**RECORD, "session": ""}).session is None
    assert past_call({**RECORD, "free": True}).is_free


@pytest.mark.parametrize(
    ("verdict", "then", "is_approved"),
    [
        ("allow", "allow", True),
        ("throttle", "throttle", True),
        ("pending", "pending", False),
        ("deny", "pending", False),
    ],
)
def test_what_a_person_decided_is_told_from_what_the_policy_did(verdict: str, then: str, is_approved: bool):
    """A denied approval is a question that the policy asked."""
    call = past_call({**RECORD, "approval": "ap-1", "verdict": verdict})
    assert (call.verdict, call.is_approved) == (Verdict(then), is_approved)


def test_what_was_recorded_in_part_is_not_known():
    """A long name, and more or longer names of arguments than a record has."""
    assert past_call({**RECORD, "target": "t" * 256 + "… (300 characters)"}).target is None
    for keys in ([str(number) for number in range(65)], ["a" * 257]):
        assert past_call({**RECORD, "argument_keys": keys}).knowledge.keys is None


def test_only_calls_that_a_policy_has_judged_are_replayed():
    """And the ends of exchanges; what the gateway itself refused stays refused."""
    records = [
        {"type": "start"},
        RECORD,
        {**RECORD, "method": "tools/list"},
        {**RECORD, "verdict": "error", "rule": "(internal error)"},
        {**RECORD, "verdict": "deny", "rule": "(pinned)"},
        {**RECORD, "method": "prompts/get", "policy": "other", "verdict": "deny", "rule": "(default deny)"},
        {"type": "outcome", "id": "1", "rolled_back": True},
        {"type": "outcome", "id": "2"},
    ]
    ends = [PastEnd("1", True), PastEnd("2", False)]
    assert list(past_calls(records)) == [past_call(RECORD), past_call(records[5]), *ends]
    assert list(past_calls(records, policy="strict")) == [past_call(RECORD), *ends]
