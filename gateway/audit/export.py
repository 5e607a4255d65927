"""Audit records in the forms that other programs take: JSON lines, CSV, and OCSF for security data lakes."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from gateway import __version__
from gateway.audit.reader import Record
from gateway.reading.scalars import instant_ns

FORMATS: Final = ("jsonl", "csv", "ocsf")

COLUMNS: Final = (
    "seq", "time", "type", "id", "server", "grant", "client", "session", "peer", "method", "target", "argument_keys",
    "arguments_hash", "verdict", "rule", "message", "policy", "revision", "limit", "remaining", "retry_after_ms",
    "approval", "approver", "outcome", "upstream_status", "answer_bytes", "upstream_ms", "total_ms", "status", "reason",
)  # fmt: skip
"""Of the CSV. What a record has besides is in JSON lines alone."""

# OCSF 1.3: the class "API Activity" of the category "Application Activity", with the activity "Other".
_CLASS: Final = {"category_uid": 6, "class_uid": 6003, "activity_id": 99, "type_uid": 600399}
_PRODUCT: Final = {"name": "MCP policy gateway", "version": __version__}
_INFORMATIONAL, _LOW, _MEDIUM = 1, 2, 3


def exported(records: Iterable[Record], format: str) -> Iterator[str]:
    """The lines of an export, each with its line end. `format` is one of `FORMATS`; anything else is a ValueError."""
    match format:
        case "jsonl":
            return (msgspec.json.encode(record).decode() + "\n" for record in records)
        case "csv":
            return _csv(records)
        case "ocsf":
            return (msgspec.json.encode(_ocsf(record)).decode() + "\n" for record in records)
        case _:
            raise ValueError(format)


def _csv(records: Iterable[Record]) -> Iterator[str]:
    yield _csv_line(COLUMNS)
    for record in records:
        yield _csv_line([_cell(record.get(column, "")) for column in COLUMNS])


def _csv_line(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def _cell(value: Any) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    # A spreadsheet would run what an agent may have named a tool.
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _ocsf(record: Record) -> dict[str, Any]:
    """One event. What the schema has no place for stands under `unmapped`."""
    verdict = record.get("verdict", "")
    has_failed = verdict not in ("", "allow") or record["type"] in ("refusal", "refusals")
    known = {"type", "seq", "mac", "time", "id", "grant", "peer", "method", "target", "message", "rule", "session"}
    event: dict[str, Any] = {
        **_CLASS,
        "activity_name": record["type"],
        "time": instant_ns(record["time"]) // 1_000_000,
        "severity_id": _severity(verdict, has_failed=has_failed),
        "status_id": 2 if has_failed else 1,
        "metadata": {
            "version": "1.3.0",
            "product": _PRODUCT,
            "uid": record["mac"],
            "sequence": record["seq"],
            "correlation_uid": record.get("id", ""),
        },
        "actor": {"user": {"name": record.get("grant", "")}, "session": {"uid": record.get("session", "")}},
        "api": {"operation": record.get("method", record["type"]), "service": {"name": record.get("server", "")}},
        "src_endpoint": {"ip": record.get("peer", "")},
        "unmapped": {name: value for name, value in record.items() if name not in known},
    }
    if record.get("target"):
        event["resources"] = [{"name": record["target"]}]
    if record.get("message"):
        event["message"] = record["message"]
    if record.get("rule"):
        event["status_detail"] = record["rule"]
    return event


def _severity(verdict: str, *, has_failed: bool) -> int:
    match verdict:
        case "deny" | "error":
            return _MEDIUM
        case _:
            return _LOW if has_failed else _INFORMATIONAL
