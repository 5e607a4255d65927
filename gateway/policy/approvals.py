"""What a policy says about approvals: how long one may be given, how long a call is held open for it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.policy.decision import ApprovalTerms
from gateway.policy.model import Approval, Duration
from gateway.policy.windows import DAY_NS, SECOND_NS
from gateway.reading.scalars import duration_ns

LONGEST_HOLD_NS: Final = 60 * SECOND_NS
LONGEST_EXPIRY_NS: Final = 30 * DAY_NS


def terms_of(approval: Approval) -> ApprovalTerms:
    """The terms of an approval that has no `approval_faults`."""
    return ApprovalTerms(expires_ns=_span_ns(approval.expires), hold_ns=_span_ns(approval.hold))


def approval_faults(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with these fields beyond their shapes: the field, and what would mend it."""
    match fields:
        case {"expires": expires}:
            yield from _fault("expires", expires, SECOND_NS, LONGEST_EXPIRY_NS, "from 1 second to 30 days")
    match fields:
        case {"hold": hold}:
            # An agent's own time-out is seldom longer.
            yield from _fault("hold", hold, 0, LONGEST_HOLD_NS, "of at most 60 seconds")


def _fault(field: str, written: Duration, low: int, high: int, bounds: str) -> Iterator[tuple[str, str]]:
    try:
        span_ns = _span_ns(written)
    except ValueError as error:
        yield field, str(error)
        return
    if not low <= span_ns <= high:
        yield field, f"`{field}` is a time {bounds}"


def _span_ns(written: Duration) -> int:
    return duration_ns(written) if isinstance(written, str) else round(written * SECOND_NS)
