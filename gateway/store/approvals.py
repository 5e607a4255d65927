"""The approvals in the database. Each change of state is one conditional UPDATE: of two who try, one succeeds.

Called by the running gateway (`gateway.approval_desk`) and by `gateway approvals`, each in a process of its own.
"""

import secrets
import sqlite3
from typing import Any, Final

import msgspec

from gateway.errors import GatewayError
from gateway.reading.scalars import instant_text
from gateway.store.approval import Approval, ExactCall, State
from gateway.store.database import Database

MIN_PREFIX: Final = 6
MAX_LISTED: Final = 500
# What is kept of those that are over. With `MAX_ARGUMENT_BYTES` it bounds the file.
MAX_KEPT: Final = 10_000
# More than this no person reads before they approve it.
MAX_ARGUMENT_BYTES: Final = 64 * 1024

# Crockford's: no letter that could be read as another or as a digit.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_ID_LENGTH: Final = 10

_COLUMNS: Final = (
    "id, CASE WHEN state IN ('pending', 'approved') AND expires_ns <= :now_ns THEN 'expired' ELSE state END AS state, "
    "grant_label, server, tool, arguments, revision, policy, rule, exchange, "
    "asked_ns, expires_ns, decided_ns, approver, reason, consumed_ns"
)


class UnknownApprovalError(GatewayError):
    """No approval, or more than one, has an id that begins like this."""


class NotPendingError(GatewayError):
    """There is nothing left to decide: somebody has, or it has expired."""


class UnaskableError(GatewayError):
    """The call cannot wait for a person. The message is for the agent."""


class Swept(msgspec.Struct, frozen=True):
    """What a look over all approvals has found."""

    unrecorded: list[Approval]
    """Those about which something was decided that is not in the audit journal yet."""
    pending: int
    """How many wait for a person."""
    oldest_ns: int
    """How long the oldest of these has been waiting; 0 where there is none."""


class Approvals:
    """The table of approvals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(
        self, call: ExactCall, *, policy: str, rule: str, exchange: str, now_ns: int, lifetime_ns: int, most: int
    ) -> tuple[Approval, bool]:
        """The approval that stands for exactly this call, and whether it was made just now.

        One that is pending, approved or denied stands until it expires; one that was consumed no longer does.
        Raises `UnaskableError` where `most` of the grant's are pending, or the arguments are too long to read.
        """
        if len(call.arguments.encode()) > MAX_ARGUMENT_BYTES:
            limit = MAX_ARGUMENT_BYTES // 1024
            raise UnaskableError(f"The arguments are longer than the {limit} KiB that a person can be asked to read.")
        with self._database.transaction() as connection:
            _expire(connection, now_ns)
            standing = (
                f"SELECT {_COLUMNS} FROM approvals WHERE digest = :digest AND expires_ns > :now_ns "  # noqa: S608
                "AND state IN ('pending', 'approved', 'denied') ORDER BY number DESC LIMIT 1"
            )
            row = connection.execute(standing, {"digest": call.digest, "now_ns": now_ns}).fetchone()
            if row is not None:
                return _approval(row), False
            if _pending(connection, call.grant) >= most:
                raise UnaskableError(
                    f"{most} calls of this grant wait for approval already; wait until some are decided or expire."
                )
            approval = Approval(
                id="".join(secrets.choice(_ALPHABET) for _ in range(_ID_LENGTH)),
                state=State.PENDING,
                call=call,
                policy=policy,
                rule=rule,
                exchange=exchange,
                asked_ns=now_ns,
                expires_ns=now_ns + lifetime_ns,
            )
            _insert(connection, approval)
            return approval, True

    def find(self, prefix: str, now_ns: int) -> Approval:
        """The approval whose id begins like this, with at least `MIN_PREFIX` characters.

        Raises `UnknownApprovalError` where there is none, or more than one.
        """
        prefix = prefix.lower()
        if len(prefix) < MIN_PREFIX or not set(prefix) <= set(_ALPHABET):
            raise UnknownApprovalError(f"An approval's id is at least {MIN_PREFIX} of the characters {_ALPHABET}.")
        with self._database.reading() as connection:
            query = f"SELECT {_COLUMNS} FROM approvals WHERE id >= :low AND id < :high LIMIT 2"  # noqa: S608
            # No id has a `~`, and every character of an id sorts before it.
            found = connection.execute(query, {"low": prefix, "high": prefix + "~", "now_ns": now_ns}).fetchall()
        if len(found) != 1:
            many = "More than one approval has" if found else "No approval has"
            raise UnknownApprovalError(f"{many} an id that begins with {prefix}; `gateway approvals list` shows them.")
        return _approval(found[0])

    def listed(self, state: State | None, now_ns: int) -> list[Approval]:
        """The newest `MAX_LISTED` in this state, or in any, newest first."""
        query = (
            f"SELECT * FROM (SELECT {_COLUMNS}, number FROM approvals) "  # noqa: S608
            "WHERE :state IS NULL OR state = :state ORDER BY number DESC LIMIT :most"
        )
        with self._database.reading() as connection:
            rows = connection.execute(query, {"state": state, "now_ns": now_ns, "most": MAX_LISTED}).fetchall()
        return [_approval(row[:-1]) for row in rows]

    def decide(self, prefix: str, state: State, *, approver: str, reason: str, now_ns: int) -> Approval:
        """Approve or deny a pending one. Raises `UnknownApprovalError`, and `NotPendingError` if it is not."""
        id = self.find(prefix, now_ns).id
        with self._database.transaction() as connection:
            changed = connection.execute(
                "UPDATE approvals SET state = ?, approver = ?, reason = ?, decided_ns = ?, is_recorded = 0 "
                "WHERE id = ? AND state = 'pending' AND expires_ns > ?",
                (state, approver, reason, now_ns, id, now_ns),
            ).rowcount
        approval = self.find(id, now_ns)
        if not changed:
            raise NotPendingError(_why_not(approval))
        return approval

    def consume(self, id: str, now_ns: int) -> bool:
        """Use up an approval that stands approved. True for one caller, ever."""
        with self._database.transaction() as connection:
            return (
                connection.execute(
                    "UPDATE approvals SET state = 'consumed', consumed_ns = ? "
                    "WHERE id = ? AND state = 'approved' AND expires_ns > ?",
                    (now_ns, id, now_ns),
                ).rowcount
                == 1
            )

    def sweep(self, now_ns: int) -> Swept:
        """Let those expire whose time is over, forget the oldest beyond `MAX_KEPT`, and say what there is to record."""
        with self._database.transaction() as connection:
            _expire(connection, now_ns)
            connection.execute(
                "DELETE FROM approvals WHERE number <= (SELECT MAX(number) FROM approvals) - ? "
                "AND state NOT IN ('pending', 'approved') AND is_recorded = 1",
                (MAX_KEPT,),
            )
            query = f"SELECT {_COLUMNS} FROM approvals WHERE is_recorded = 0 ORDER BY number"  # noqa: S608
            rows = connection.execute(query, {"now_ns": now_ns}).fetchall()
            return Swept([_approval(row) for row in rows], _pending(connection), _oldest_ns(connection, now_ns))

    def recorded(self, approvals: list[Approval]) -> None:
        """These are in the audit journal now, as they were decided."""
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE approvals SET is_recorded = 1 WHERE id = ? AND (state = ? OR state = 'consumed')",
                [(approval.id, approval.state) for approval in approvals],
            )


def _expire(connection: sqlite3.Connection, now_ns: int) -> None:
    connection.execute(
        "UPDATE approvals SET state = 'expired', is_recorded = 0 "
        "WHERE state IN ('pending', 'approved') AND expires_ns <= ?",
        (now_ns,),
    )


def _pending(connection: sqlite3.Connection, grant: str | None = None) -> int:
    query = "SELECT COUNT(*) FROM approvals WHERE state = 'pending' AND (:grant IS NULL OR grant_label = :grant)"
    return int(connection.execute(query, {"grant": grant}).fetchone()[0])


def _oldest_ns(connection: sqlite3.Connection, now_ns: int) -> int:
    query = "SELECT MIN(asked_ns) FROM approvals WHERE state = 'pending'"
    asked_ns = connection.execute(query).fetchone()[0]
    return 0 if asked_ns is None else now_ns - int(asked_ns)


def _insert(connection: sqlite3.Connection, approval: Approval) -> None:
    call = approval.call
    connection.execute(
        "INSERT INTO approvals (id, digest, grant_label, server, tool, arguments, revision, policy, rule, exchange, "
        "asked_ns, expires_ns) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            *(approval.id, call.digest, call.grant, call.server, call.tool, call.arguments, call.revision),
            *(approval.policy, approval.rule, approval.exchange, approval.asked_ns, approval.expires_ns),
        ),
    )


def _approval(row: tuple[Any, ...]) -> Approval:
    id, state, *call, policy, rule, exchange, asked_ns, expires_ns, decided_ns, approver, reason, consumed_ns = row
    return Approval(
        id=id,
        state=State(state),
        call=ExactCall(*call),
        policy=policy,
        rule=rule,
        exchange=exchange,
        asked_ns=asked_ns,
        expires_ns=expires_ns,
        decided_ns=decided_ns,
        approver=approver,
        reason=reason,
        consumed_ns=consumed_ns,
    )


def _why_not(approval: Approval) -> str:
    if approval.state is State.EXPIRED:
        return f"{approval.id} expired at {instant_text(approval.expires_ns)}; the agent has to ask again."
    by = f" by {approval.approver}" if approval.approver else ""
    return f"{approval.id} is {approval.state}{by} already; nothing was changed."
