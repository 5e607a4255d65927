"""What the engine decides on, and what it decides. Values only."""

import enum

import msgspec

from gateway import fastpath


class Verdict(enum.StrEnum):
    """What becomes of a call. The words are the ones that records, metrics and replies use."""

    ALLOW = "allow"
    DENY = "deny"
    THROTTLE = "throttle"
    PENDING = "pending"
    ERROR = "error"
    """The server's side, or our own, failed. Never the caller's doing."""


class LimitStatus(msgspec.Struct, frozen=True):
    """Where one limit stands, as told to an agent that was refused by it."""

    counter: str
    limit: int
    """The most that the window admits (policy.md: `max`)."""
    remaining: int
    retry_after_ms: int | None
    """Exact time to wait, rounded up to a millisecond; None where waiting would not help."""


class ApprovalTerms(msgspec.Struct, frozen=True):
    """How long an approval may be given, and how long the call is held open for it."""

    expires_ns: int
    hold_ns: int


class Decision(msgspec.Struct, frozen=True):
    """The outcome of judging one call."""

    verdict: Verdict
    rule: str
    """Which rule decided, by the names of policy.md; for an allowed call the entry that allows it."""
    message: str = ""
    """What the agent is told when refused. Carries no argument values."""
    limit: LimitStatus | None = None
    receipt: fastpath.Receipt | None = None
    """What was spent, for `fastpath.rollback`; None when nothing was."""
    approval: ApprovalTerms | None = None
    """Set where the verdict is PENDING."""
