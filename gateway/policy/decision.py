"""What the engine decides on, and what it decides. Values only."""

import enum

import msgspec

from gateway import fastpath


class Kind(enum.Enum):
    """What a call is aimed at; the value is the part of a policy that has its rules."""

    TOOL = "tools"
    RESOURCE = "resources"
    PROMPT = "prompts"


class Call(msgspec.Struct, frozen=True):
    """What the engine decides on."""

    kind: Kind
    target: str
    """The tool's name, the resource's URI, the prompt's name: the exact text that was sent."""
    arguments: dict[str, object]
    is_approved: bool = False
    """A person has approved this very call."""
    is_free: bool = False
    """A further round of a call that has spent already, so that it meets no limit."""


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
    """The counter's name; `concurrency` for a bound on calls in flight."""
    limit: int
    """The most that the window admits (policy.md: `max`), or the most calls in flight."""
    remaining: int
    retry_after_ms: int | None
    """Exact time to wait, rounded up to a millisecond; None where no time can be named."""


class ApprovalTerms(msgspec.Struct, frozen=True):
    """How long an approval may be given, and how long the call is held open for it."""

    expires_ns: int
    hold_ns: int


class ShadowOutcome(msgspec.Struct, frozen=True):
    """What a rule or limit in shadow mode would have decided: a refusal or a question."""

    rule: str
    verdict: Verdict


class ConcurrencyHold(msgspec.Struct, frozen=True):
    """A place among the calls in flight that an allowed call takes until its exchange is over."""

    name: str
    """The name of the rule, under which the calls are counted for each grant."""
    most: int


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
    shadow: tuple[ShadowOutcome, ...] = ()
    holds: tuple[ConcurrencyHold, ...] = ()
    """What the gate takes for an allowed call, and gives back when its exchange is over."""
    is_free: bool = False
    """Whether the call was allowed without meeting its limits, as a further round of another."""
