"""Records as people see them."""

from pathlib import Path

import msgspec
import pytest

from gateway.audit.event import DecisionRecord
from gateway.audit.index import Index, Question
from gateway.cli import audit_lines
from tests.support.journals import open_journal

DENIED = {
    "type": "decision",
    "id": "x-1",
    "time": "2027-01-15T08:00:00.123456Z",
    "grant": "alice",
    "method": "tools/call",
    "target": "cancel_task",
    "verdict": "throttle",
    "rule": "/tools/cancel_task/limits/c",
    "retry_after_ms": 41200,
    "message": "Limited to 10.",
    "argument_keys": ["a"],
    "seq": 7,
    "mac": "0" * 32,
}


def test_one_line_says_when_who_what_and_why():
    """In columns, the verdict in colour."""
    line = audit_lines.coloured(DENIED)
    assert line.split() == [
        "2027-01-15T08:00:00.123456Z", "\x1b[33mthrottle", "\x1b[0m", "alice", "cancel_task",
        "/tools/cancel_task/limits/c", "(41.2", "s)", "x-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("record", "word"),
    [
        ({"type": "outcome", "outcome": "failed", "rule": "(upstream down)"}, "failed"),
        ({"type": "refusal", "peer": "10.0.0.9", "reason": "json", "grant": ""}, "refusal"),
        ({"type": "approval", "event": "approved"}, "approved"),
        ({"type": "checkpoint", "count": 3}, "checkpoint"),
    ],
)
def test_records_of_every_kind_have_a_word(record, word):
    """The outcome, the event or the kind, where there is no verdict."""
    line = audit_lines.coloured({"time": "t", "seq": 1, "mac": "m", **record})
    assert word in line
    assert record.get("reason", "") in line


def test_a_record_cannot_draw_on_the_terminal():
    """What an agent wrote is shown as code points where it could hide, pretend or move the cursor."""
    evil = DENIED | {"target": "\x1b[2Jsafe\u202e\r\n", "message": "\x1b]0;title\x07", "client": "a\u200bb"}
    shown = audit_lines.details(evil)
    assert shown.count("\x1b") == 2
    assert not {"\r", "\u202e", "\u200b", "\x07"} & set(shown)
    assert r"\u{1b}[2Jsafe\u{202e}\u{d}\u{a}" in shown


def test_details_name_every_field_that_is_not_in_the_line():
    """One in each line."""
    assert audit_lines.details(DENIED).splitlines()[1:] == [
        "    retry_after_ms: 41200",
        "    message: Limited to 10.",
        '    argument_keys: ["a"]',
    ]


def test_statistics(tmp_path: Path):
    """Sums for people, and the same for programs."""
    journal = open_journal(tmp_path)
    for number in range(20):
        journal.append(
            DecisionRecord("x", "2027-01-15T08:00:00.000000Z", "s", f"g{number}", "p", "tools/call", "allow", "/t")
        )
    index = Index.open(tmp_path)
    text = audit_lines.statistics(index, Question(), as_json=False)
    assert "21 records from 2027-01-15" in text
    assert "decisions by verdict\n        20  allow" in text
    assert "and 5 more" in text
    assert "decisions by tool\n        20  (none)" in text
    found = msgspec.json.decode(audit_lines.statistics(index, Question(), as_json=True))
    assert (found["records"], found["verdict"], len(found["grant"])) == (21, {"allow": 20}, 20)
    index.close()
    journal.close()
