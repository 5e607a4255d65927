"""Approvals for tests: a database of their own, and policies that ask."""

from pathlib import Path
from typing import Any

import msgspec

from gateway.clock import ManualClock
from gateway.policy.decision import ApprovalTerms, Decision, Verdict
from gateway.policy.engine import Engine
from gateway.store.approval import Approval, ExactCall
from gateway.store.approvals import Approvals
from gateway.store.database import Database

SECOND_NS = 1_000_000_000
LIFETIME_NS = 600 * SECOND_NS
CALL = ExactCall.of("alice", "binassist", "delete_all", {"path": "/etc", "depth": 1}, "r1")


class AskingEngine(Engine):
    """An engine that asks for approval of every call of `get_code`, after its rules and before its limits."""

    terms = ApprovalTerms(expires_ns=LIFETIME_NS, hold_ns=0)

    def decide(self, tool: str, *rest: Any, is_approved: bool = False) -> Decision:
        """As the policy says, once somebody has approved."""
        if tool == "get_code" and not is_approved:
            message = "get_code needs a person's approval."
            return Decision(Verdict.PENDING, "/tools/get_code/action", message, approval=self.terms)
        return super().decide(tool, *rest, is_approved=is_approved)


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
