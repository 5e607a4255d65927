"""Records for other programs."""

import csv
import io
import json
from typing import Any

import pytest

from gateway.audit.export import COLUMNS, FORMATS, exported

DENIED: dict[str, Any] = {
    "type": "decision",
    "id": "x-1",
    "time": "2027-01-15T08:00:00.123456Z",
    "server": "binassist",
    "grant": "alice",
    "peer": "10.0.0.9",
    "method": "tools/call",
    "target": '=HYPERLINK("evil")',
    "verdict": "deny",
    "rule": "(default deny)",
    "message": 'No, "never",\nsaid she.',
    "argument_keys": ["a", "b"],
    "seq": 7,
    "mac": "0" * 32,
}
CHECKPOINT = {"type": "checkpoint", "time": "2027-01-15T08:00:00.000000Z", "count": 7, "seq": 8, "mac": "1" * 32}


def test_json_lines_are_the_records():
    """Nothing is left out or changed."""
    lines = list(exported([DENIED, CHECKPOINT], "jsonl"))
    assert [json.loads(line) for line in lines] == [DENIED, CHECKPOINT]
    assert all(line.count("\n") == 1 for line in lines)


def test_csv_has_one_row_for_each_record():
    """With a head; quoted where it must be; and no cell that a spreadsheet would run."""
    head, denied, checkpoint = csv.reader(io.StringIO("".join(exported([DENIED, CHECKPOINT], "csv"))))
    assert tuple(head) == COLUMNS
    row = dict(zip(head, denied, strict=True))
    assert (row["message"], row["argument_keys"], row["seq"]) == (DENIED["message"], "a b", "7")
    assert row["target"] == "'" + DENIED["target"]
    assert dict(zip(head, checkpoint, strict=True))["verdict"] == ""


def test_ocsf_events_are_api_activity():
    """Who did what from where with which result, by the schema; the rest is unmapped, not lost."""
    event, checkpoint = (json.loads(line) for line in exported([DENIED, CHECKPOINT], "ocsf"))
    assert (event["class_uid"], event["category_uid"], event["type_uid"]) == (6003, 6, 6003 * 100 + 99)
    assert event["time"] == 1_800_000_000_123
    assert (event["status_id"], event["severity_id"], event["status_detail"]) == (2, 3, "(default deny)")
    assert (event["actor"]["user"]["name"], event["src_endpoint"]["ip"]) == ("alice", "10.0.0.9")
    assert event["api"] == {"operation": "tools/call", "service": {"name": "binassist"}}
    assert event["resources"] == [{"name": DENIED["target"]}]
    assert event["unmapped"]["argument_keys"] == ["a", "b"]
    assert event["metadata"]["correlation_uid"] == "x-1"
    assert (checkpoint["status_id"], checkpoint["unmapped"]) == (1, {"count": 7})


def test_the_formats():
    """Those that there are, and no others."""
    assert all(list(exported([DENIED], format)) for format in FORMATS)
    with pytest.raises(ValueError, match="xml"):
        exported([], "xml")
