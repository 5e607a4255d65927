"""Recorded decisions, explained as far as the journal tells."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.recorded import explain_record, find_decision
from gateway.errors import GatewayError
from gateway.policy.engine import Engine
from tests.support.policies import engine

RULES: dict[str, Any] = {
    "deny_if": [{"conditions": [{"path": "args.action", "op": "eq", "value": "remove"}]}],
    "limits": [{"counter": "c", "window": "minute", "max": 1}],
}
ENGINE: Engine = engine(tools={"t": RULES, "no": {"action": "deny"}})
RECORD: dict[str, Any] = {
    "type": "decision",
    "id": "ab-1",
    "seq": 1,
    "mac": "",
    "time": "2027-01-15T08:00:00.000000Z",
    "server": "s",
    "grant": "alice",
    "method": "tools/call",
    "verdict": "deny",
    "rule": "/tools/t/deny_if/args.action-eq",
    "message": "no",
    "target": "t",
    "revision": ENGINE.revision,
    "argument_keys": ["action"],
    "kept": {"args.action": "remove"},
}


def test_where_all_values_were_kept_every_rule_is_explained():
    """Limits aside: what was left of them is not in the journal."""
    found = explain_record(RECORD, [engine(), ENGINE])
    assert [step.rule for step in found.explanation.steps] == ["(hidden)", "/tools/t", RECORD["rule"]]
    assert found.explanation.decisive is found.explanation.steps[-1]
    assert found.notes == ["how much was left of each limit was not kept"]


def test_what_was_not_kept_is_named():
    """Then the decision stands alone."""
    found = explain_record({**RECORD, "kept": {}}, [ENGINE])
    assert (found.explanation.steps, found.explanation.decision.rule) == ((), RECORD["rule"])
    assert "not every step is known: args.action" in found.notes[0]


def test_a_policy_that_is_gone_is_said_to_be():
    """Another policy explains nothing."""
    found = explain_record({**RECORD, "revision": "0123456789ab"}, [ENGINE])
    assert found.explanation.steps == ()
    assert "revision 0123456789ab, is not in the configuration any more" in found.notes[0]


def test_a_throttled_call_has_the_limit_that_refused():
    """As it was told to the agent."""
    limit = {"limit": "c", "limit_max": 1, "remaining": 0, "retry_after_ms": 40_000}
    record = {**RECORD, "verdict": "throttle", "rule": "/tools/t/limits/c", "kept": {"args.action": "get"}, **limit}
    found = explain_record(record, [ENGINE])
    assert found.explanation.decision.limit is not None
    assert found.explanation.decision.limit.retry_after_ms == 40_000
    assert found.explanation.decisive is None


def test_what_a_name_has_decided_needs_no_arguments():
    """They were not looked at."""
    record = {**RECORD, "target": "no", "rule": "/tools/no/action", "kept": {}}
    found = explain_record(record, [ENGINE])
    assert found.explanation.decisive is not None
    assert found.explanation.decisive.rule == "/tools/no/action"


def test_what_no_policy_has_judged_is_refused():
    """There are no steps to show."""
    with pytest.raises(GatewayError, match=r"tools/list was decided by \(protocol\), which is no policy's"):
        explain_record({**RECORD, "method": "tools/list", "rule": "(protocol)"}, [ENGINE])


def test_a_decision_is_found_by_its_id(tmp_path: Path):
    """Whichever came after it."""
    lines = [json.dumps({**RECORD, "id": id, "seq": number}) for number, id in enumerate(("ab-1", "ab-2"), 1)]
    (tmp_path / "journal.jsonl").write_text("\n".join(lines) + "\n")
    assert find_decision(tmp_path, "ab-2")["seq"] == 2
    with pytest.raises(GatewayError, match="has no decision ab-3"):
        find_decision(tmp_path, "ab-3")
