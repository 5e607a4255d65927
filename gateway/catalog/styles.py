"""Styles of policy: what becomes of the calls of each class of risk. `recommend` makes rules by them."""

from typing import Final, Literal

import msgspec

from gateway.catalog.risk import RiskClass

StyleName = Literal["strict", "balanced", "watch"]


class Answer(msgspec.Struct, frozen=True):
    """What becomes of the calls of one class."""

    verdict: Literal["allow", "ask", "deny"]
    per_minute: int | None = None
    """How many are allowed for each grant; None for any number."""


class Style(msgspec.Struct, frozen=True):
    """One way of answering."""

    answers: dict[RiskClass, Answer]
    is_shadow: bool = False
    """Whether nothing is refused, and only recorded what would have been."""


_ALLOW: Final = Answer("allow")
_ASK: Final = Answer("ask")
_DENY: Final = Answer("deny")

# policy.md, "Recommended policies".
_BALANCED: Final = {
    RiskClass.READ: _ALLOW,
    RiskClass.WRITE: Answer("allow", 30),
    RiskClass.EXECUTE: Answer("allow", 10),
    RiskClass.DESTRUCTIVE: _ASK,
    RiskClass.FINANCIAL: _ASK,
}
_STRICT: Final = {
    RiskClass.READ: _ALLOW,
    RiskClass.WRITE: Answer("allow", 10),
    RiskClass.EXECUTE: _ASK,
    RiskClass.DESTRUCTIVE: _DENY,
    RiskClass.FINANCIAL: _DENY,
}

STYLES: Final[dict[StyleName, Style]] = {
    "strict": Style(_STRICT),
    "balanced": Style(_BALANCED),
    "watch": Style(_BALANCED, is_shadow=True),
}
"""Every style by its name. `watch` records what `balanced` would do."""
