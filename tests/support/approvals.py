"""Approvals for tests: a database of their own, and policies that ask."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gateway.clock import ManualClock
from gateway.store.approval import Approval, ExactCall
from gateway.store.approvals import Approvals
from gateway.store.database import Database

SECOND_NS = 1_000_000_000
LIFETIME_NS = 600 * SECOND_NS
CALL = ExactCall.of("alice", "binassist", "delete_all", {"path": "/etc", "depth": 1}, "r1")


def ask(approvals: Approvals, clock: ManualClock, call: ExactCall = CALL, *, most: int = 20) -> Approval:
    """The approval that stands for `call`."""
    approval, _ = approvals.ask(
        call,
        policy="strict",
        rule="/tools/delete_all/action",
        exchange="ab-1",
        now_ns=clock.wall_ns(),
        lifetime_ns=LIFETIME_NS,
        most=most,
    )
    return approval


def with_arguments(**arguments: Any) -> ExactCall:
    """The call with other arguments."""
    return msgspec.structs.replace(CALL, arguments=ExactCall.of("", "", "", arguments, "").arguments)


def open_approvals(directory: Path) -> tuple[Database, Approvals]:
    """The database in `directory`, as one more process would open it."""
    database = Database.open(directory / "gateway.db")
    return database, Approvals(database)


@contextlib.contextmanager
def unusable(path: Path) -> Iterator[None]:
    """While the context lasts, the database at `path` has no table of approvals."""
    # A connection of our own: the gateway's is used in its thread.
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("ALTER TABLE approvals RENAME TO gone")
    try:
        yield
    finally:
        connection.execute("ALTER TABLE gone RENAME TO approvals")
        connection.close()


def asking(*, hold: str = "0s", **rules: Any) -> dict[str, Any]:
    """A policy that asks for approval of every call of `get_code`, holds it open so long, and has these rules too."""
    asked = {"action": "require_approval", "approval": {"hold": hold}, **rules}
    return {"version": "1", "default": "allow", "tools": {"get_code": asked}}
