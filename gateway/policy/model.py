"""A version-1 policy document as typed values (policy.md). Shapes and bounds only.

`load.py` makes these from a document and checks what a shape cannot say; `tables.py` compiles them.
Fields that policy.md has but this version does not carry out default to `UNSET`: `unsupported.py` says what
to write instead, and a document that sets one is refused, so that no rule is ever silently ignored.
"""

from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET

LARGEST_LIMIT: Final = 1_000_000_000
"""The largest `max` and `burst`; the core keeps its sums inside 63 bits up to here."""

LARGEST_SLIDING_WINDOW: Final = 10_000
"""A sliding window keeps one word per call, so `max` is bounded (policy.md, "Limits")."""

Amount = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_LIMIT)]
Operator = Literal["eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in", "exists", "regex", "contains"]
Algorithm = Literal["sliding_window", "fixed_window", "token_bucket"]


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One test of one argument."""

    path: str
    op: Operator
    value: object


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Conditions that must all hold for the rule to hold; none at all always holds."""

    conditions: tuple[Condition, ...]
    on_deny: str | None = None
    id: str | None = None
    mode: object = UNSET


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How many calls one counter admits in a window."""

    counter: Annotated[str, msgspec.Meta(min_length=1)]
    window: str | int | float
    max: Amount
    scope: Literal["grant", "session", "server"] = "grant"
    algorithm: Algorithm | None = None
    burst: Amount | None = None
    on_deny: str | None = None
    increment: object = UNSET
    increment_from: object = UNSET
    mode: object = UNSET


class AllTools(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for every call."""

    limits: tuple[Limit, ...] = ()
    require: object = UNSET
    deny_if: object = UNSET
    approve_if: object = UNSET
    approval: object = UNSET
    arguments: object = UNSET
    concurrency: object = UNSET


class ToolRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for the calls of one tool."""

    require: tuple[Rule, ...] = ()
    deny_if: tuple[Rule, ...] = ()
    limits: tuple[Limit, ...] = ()
    action: Literal["allow", "deny", "require_approval"] = "allow"
    reason: str | None = None
    approve_if: object = UNSET
    approval: object = UNSET
    arguments: object = UNSET
    concurrency: object = UNSET
    rate_limit: object = UNSET
    validate: object = UNSET
    audit: object = UNSET


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole document. One made by `load_policy` has passed every check and always compiles."""

    version: Literal["1"]
    default: Literal["allow", "deny"]
    description: str = ""
    hide: tuple[str, ...] = ()
    all_tools: AllTools = AllTools()
    tools: dict[str, ToolRules] = {}
    resources: object = UNSET
    prompts: object = UNSET
    listing: object = msgspec.field(name="list", default=UNSET)
