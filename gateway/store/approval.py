"""One approval as a value: the exact call that it is bound to, and what people have said to it. No database here."""

import enum
import hashlib
from typing import Any

import msgspec
import orjson

from gateway.mcp.canonical import canonical_json
from gateway.reading.scalars import instant_text


class State(enum.StrEnum):
    """Where an approval stands. It never goes back."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    """Nobody decided in time, or the approved call was not made in time."""
    CONSUMED = "consumed"
    """The call was let through with it, once."""


class ExactCall(msgspec.Struct, frozen=True):
    """What somebody approves: this tool with these arguments, for this grant, under this policy; nothing else."""

    grant: str
    server: str
    tool: str
    arguments: str
    """Canonical JSON (`gateway.mcp.canonical`)."""
    revision: str
    """Of the policy that asks."""

    @classmethod
    def of(cls, grant: str, server: str, tool: str, arguments: dict[str, Any], revision: str) -> "ExactCall":
        """The call with these arguments, whatever the order of their keys and the form of their numbers."""
        return cls(grant, server, tool, canonical_json(arguments), revision)

    @property
    def digest(self) -> bytes:
        """SHA-256 over all of it; JSON keeps the parts apart."""
        return hashlib.sha256(canonical_json(list(msgspec.structs.astuple(self))).encode()).digest()

    @property
    def argument_keys(self) -> list[str]:
        """The names of the arguments, sorted."""
        return list(orjson.loads(self.arguments))


class Approval(msgspec.Struct, frozen=True):
    """One request for a person's approval, and what became of it. Times are UTC nanoseconds since 1970."""

    id: str
    state: State
    """As of the time that it was read at."""
    call: ExactCall
    policy: str
    """The policy's name."""
    rule: str
    """The rule that asks."""
    exchange: str
    """The audit record of the call that asked first."""
    asked_ns: int
    expires_ns: int
    decided_ns: int | None = None
    approver: str = ""
    """Who approved or denied; empty where nobody has."""
    reason: str = ""
    """What the approver wrote."""
    consumed_ns: int | None = None

    def to_json(self) -> dict[str, Any]:
        """For people and their programs: `gateway approvals --json` and the HTTP API."""
        return {
            "id": self.id,
            "state": self.state.value,
            "grant": self.call.grant,
            "server": self.call.server,
            "tool": self.call.tool,
            "arguments": orjson.loads(self.call.arguments),
            "policy": self.policy,
            "revision": self.call.revision,
            "rule": self.rule,
            "exchange": self.exchange,
            "asked": instant_text(self.asked_ns),
            "expires": instant_text(self.expires_ns),
            "decided": _text(self.decided_ns),
            "approver": self.approver,
            "reason": self.reason,
            "consumed": _text(self.consumed_ns),
        }


def _text(instant_ns: int | None) -> str | None:
    return None if instant_ns is None else instant_text(instant_ns)
