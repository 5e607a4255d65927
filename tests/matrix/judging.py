"""Holds what an agent told, and what the audit journal says about it, against what should be: a row of the matrix."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

from gateway.mcp.versions import Era
from tests.matrix.gaps import CANCEL_ARRIVES, CLOSE, GAPS, ONE_SESSION
from tests.matrix.operations import SLOW_TOOL, Script, scripts
from tests.support.agents import Account, Agent

_OPENINGS: Final = {"initialize", "server/discover"}
_NOTHING: Final = {"failed": "the agent ended before this"}

Column = TypeVar("Column")
Record = Mapping[str, Any]


class Row(msgspec.Struct, frozen=True):
    """One client. A cell is empty where all was as it should be, else says what was not."""

    client: str
    cells: Mapping[str, str]
    """By column. A column that is a gap of this client has none."""


def possible(agent: Agent, tools: list[str]) -> dict[str, Script]:
    """The operations that the client can do, on a server that has `tools`."""
    return _without_gaps(agent, scripts(agent.era, tools))


def judge(agent: Agent, tools: list[str], account: Account, journal: Iterable[Record]) -> Row:
    """The row of an agent that was taken through its possible operations; `journal` holds the audit records."""
    exchanges = _exchanges(agent, journal)
    openings = sum(exchange["method"] in _OPENINGS for exchange in exchanges)
    cells = {
        **_told(possible(agent, tools), account),
        CANCEL_ARRIVES: "" if any(_is_cancellation(agent.era, e) for e in exchanges) else "the server was not told",
        ONE_SESSION: "" if openings == 1 else f"the agent opened {openings}",
        CLOSE: "" if account.exit_code == 0 else f"exit code {account.exit_code}: {account.errors.strip()}",
    }
    return Row(agent.name, _without_gaps(agent, cells))


def _without_gaps(agent: Agent, columns: Mapping[str, Column]) -> dict[str, Column]:
    gaps = GAPS.get(agent.name, {})
    return {name: column for name, column in columns.items() if name not in gaps}


def _told(operations: Mapping[str, Script], account: Account) -> dict[str, str]:
    """A cell for each operation, which names every step that was not as expected."""
    seen = iter(account.seen)
    cells = {}
    for name, script in operations.items():
        steps = [(step, expected, next(seen, _NOTHING)) for step, expected in script]
        cells[name] = "; ".join(f"{step}: expected {e}, saw {s}" for step, e, s in steps if s != e)
    return cells


def _exchanges(agent: Agent, journal: Iterable[Record]) -> list[Record]:
    """The decisions on what the agent sent, each with the outcome that belongs to it."""
    records = list(journal)
    outcomes = {record["id"]: record for record in records if record["type"] == "outcome"}
    decisions = [record for record in records if record["type"] == "decision" and record["grant"] == agent.label]
    return [{**outcomes.get(decision["id"], {}), **decision} for decision in decisions]


def _is_cancellation(era: Era, exchange: Record) -> bool:
    """A modern agent cancels by closing the stream, which the gateway passes on; a legacy one by a notification."""
    if era is Era.MODERN:
        return exchange.get("target") == SLOW_TOOL and exchange.get("outcome") == "cancelled"
    return exchange["method"] == "notifications/cancelled" and exchange.get("upstream_status") == 202
