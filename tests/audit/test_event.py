"""The lines of the journal, as they are written."""

import msgspec
import pytest

from gateway.audit.event import (
    MAX_TEXT,
    AuditRecord,
    DecisionRecord,
    OutcomeRecord,
    RefusalRecord,
    StartRecord,
    StopRecord,
    clipped,
    is_durable,
    utc_text,
)

NOW = "2027-01-15T08:00:00.000000Z"
DECISION = DecisionRecord("x-1", NOW, "binassist", "alice", "127.0.0.1", "tools/call", "allow", "/tools/cancel_task")
OUTCOME = OutcomeRecord("x-1", NOW, "completed", upstream_status=200, answer_bytes=12)
REFUSAL = RefusalRecord("x-2", NOW, "binassist", "", "127.0.0.1", 401, "unauthenticated", "A token is required.")


@pytest.mark.parametrize(
    ("record", "kind"),
    [(DECISION, "decision"), (OUTCOME, "outcome"), (REFUSAL, "refusal")],
    ids=["d", "o", "r"],
)
def test_a_line_says_of_which_kind_it_is(record, kind):
    """`type` comes first and tells the kinds apart, so that a reader gets the same record back."""
    line = msgspec.json.encode(record)
    assert line.startswith(b'{"type":"%s","id":"x-' % kind.encode())
    assert msgspec.json.decode(line, type=AuditRecord) == record


def test_what_does_not_apply_is_left_out():
    """A line holds no empty fields, but every field that always applies."""
    assert msgspec.to_builtins(DECISION).keys() == {
        "type", "id", "time", "server", "grant", "peer", "method", "verdict", "rule",
    }  # fmt: skip
    assert msgspec.to_builtins(REFUSAL)["grant"] == ""


def test_hostile_text_stays_on_its_line():
    """Line ends, escapes and markup of an agent's are one escaped JSON string."""
    hostile = '\r\n{"type":"decision"}\x1b[2J\u2028\x00</script>'
    line = msgspec.json.encode(msgspec.structs.replace(DECISION, target=hostile))
    assert not {b"\r", b"\n", b"\x1b", b"\x00"} & {line[at : at + 1] for at in range(len(line))}
    assert msgspec.json.decode(line, type=DecisionRecord).target == hostile


def test_long_text_is_clipped_and_says_so():
    """Up to the bound text is kept whole; beyond, its beginning and its length are."""
    fits = "é" * MAX_TEXT
    assert clipped(fits) == fits
    assert clipped(fits + "x") == f"{fits}… (257 characters)"
    assert len(clipped("x" * 1_000_000)) < MAX_TEXT + 25


@pytest.mark.parametrize(
    ("record", "waits"),
    [
        (DECISION, False),
        (OUTCOME, False),
        (REFUSAL, False),
        (msgspec.structs.replace(DECISION, approval="a", approver="zoe"), True),
        (StartRecord(NOW, "1", "python", (), ()), True),
        (StopRecord(NOW), True),
    ],
)
def test_what_people_decide_waits_for_the_disk(record, waits):
    """Calls do not, unless one runs by somebody's approval."""
    assert is_durable(record) == waits


@pytest.mark.parametrize(
    ("wall_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (999, "1970-01-01T00:00:00.000000Z"),
        (1_709_208_000_000_001_999, "2024-02-29T12:00:00.000001Z"),
        (1_800_000_000_999_999_999, "2027-01-15T08:00:00.999999Z"),
    ],
)
def test_times_are_exact_to_the_microsecond(wall_ns: int, text: str):
    """No rounding up into a second that has not come."""
    assert utc_text(wall_ns) == text
