"""Audit records as people read them on a terminal, and as JSON. `audit` prints these.

Everything that came from an agent is made visible first: a record must not be able to draw on a terminal.
"""

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from gateway.audit.index import Index, Question
from gateway.audit.reader import Record
from gateway.visible import visible

_COLOURS: Final = {
    "allow": "32",
    "completed": "32",
    "deny": "31",
    "error": "31",
    "failed": "31",
    "throttle": "33",
    "pending": "33",
    "refusal": "35",
    "refusals": "35",
}
_MOST_ROWS: Final = 15
_COUNTED: Final = ("verdict", "grant", "target", "rule")
# What every line shows already, or nobody reads.
_USUAL: Final = frozenset({"type", "time", "seq", "mac", "id", "grant", "target", "method", "verdict", "rule"})


def as_json(record: Record) -> str:
    """One line for programs."""
    return msgspec.json.encode(record).decode()


def coloured(record: Record) -> str:
    """One line for people: when, what came of it, who, what, and why."""
    word = record.get("verdict") or record.get("outcome") or record.get("event") or record["type"]
    colour = _COLOURS.get(word) or _COLOURS.get(record["type"], "36")
    who, what = record.get("grant") or record.get("peer", ""), record.get("target") or record.get("method", "")
    why = [record.get("rule", ""), _wait(record), record.get("reason", ""), record.get("cause", "")]
    cells = (f"{_shown(who):<16}", f"{_shown(what):<24}", " ".join(_shown(part) for part in why if part))
    return (
        f"{record['time']}  \x1b[{colour}m{_shown(word):<9}\x1b[0m  {'  '.join(cells)}  {record.get('id', '')}".rstrip()
    )


def details(record: Record) -> str:
    """All that a record says, a field in each line."""
    return "\n".join([coloured(record), *(f"    {name}: {_value(value)}" for name, value in _unusual(record))])


def statistics(index: Index, question: Question, *, as_json: bool) -> str:
    """How many decisions there were, by each of several things."""
    counts = {column: index.count(column, question) for column in _COUNTED}
    records, first, last = index.span()
    if as_json:
        found: dict[str, Any] = {"records": records, "first": first, "last": last}
        return msgspec.json.encode(found | {column: dict(rows) for column, rows in counts.items()}).decode()
    parts = [f"{records} records from {first} to {last}" if records else "no records"]
    return "\n\n".join([*parts, *(_table(column, rows) for column, rows in counts.items() if rows)])


def _table(column: str, rows: list[tuple[str, int]]) -> str:
    shown = [f"{count:>10}  {_shown(name) or '(none)'}" for name, count in rows[:_MOST_ROWS]]
    rest = [f"{'':>10}  and {len(rows) - _MOST_ROWS} more"] if len(rows) > _MOST_ROWS else []
    return "\n".join([f"decisions by {'tool' if column == 'target' else column}", *shown, *rest])


def _unusual(record: Record) -> Iterable[tuple[str, Any]]:
    return ((name, value) for name, value in record.items() if name not in _USUAL)


def _wait(record: Record) -> str:
    milliseconds = record.get("retry_after_ms")
    return "" if milliseconds is None else f"({milliseconds / 1000:g} s)"


def _value(value: Any) -> str:
    return _shown(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def _shown(text: str) -> str:
    return visible(str(text), keep="…")
