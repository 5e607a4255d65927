"""A version-1 policy document as typed values (policy.md). Shapes and bounds only.

`load.py` makes these from a document and checks what a shape cannot say; `tables.py` compiles them.
"""

from typing import Annotated, Any, Final, Literal

import msgspec

LARGEST_LIMIT: Final = 1_000_000_000
"""The largest `max`, `burst` and `increment`; the core keeps its sums inside 63 bits up to here."""

LARGEST_SLIDING_WINDOW: Final = 10_000
"""A sliding window keeps one word per call, so `max` is bounded (policy.md, "Limits")."""

Amount = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_LIMIT)]
Duration = str | int | float
Operator = Literal["eq", "neq", "lt", "lte", "gt", "gte", "in", "not_in", "exists", "regex", "contains"]
Algorithm = Literal["sliding_window", "fixed_window", "token_bucket"]
Scope = Literal["grant", "session", "server"]
Mode = Literal["enforce", "shadow"]
Concurrency = Annotated[int, msgspec.Meta(ge=1, le=10_000)]
Schema = dict[str, Any]


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
    mode: Mode = "enforce"


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How much one counter admits in a window, and what a call costs."""

    counter: Annotated[str, msgspec.Meta(min_length=1)]
    window: Duration
    max: Amount
    scope: Scope = "grant"
    algorithm: Algorithm | None = None
    burst: Amount | None = None
    increment: Amount | None = None
    increment_from: str | None = None
    on_deny: str | None = None
    mode: Mode = "enforce"


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The short form of one limit."""

    max: Amount
    window: Duration


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How long an approval may be given, and how long the call is held open for it."""

    expires: Duration = "10m"
    hold: Duration = "20s"


class Validate(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What of the server's own schema must hold."""

    required_args: bool = False
    schema: bool = False


class Audit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which values of arguments are recorded."""

    keep: tuple[str, ...] = ()


class AllTools(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for every call of a tool. Its fields are among those of `ToolRules`."""

    require: tuple[Rule, ...] = ()
    deny_if: tuple[Rule, ...] = ()
    approve_if: tuple[Rule, ...] = ()
    approval: Approval | None = None
    arguments: Schema | None = None
    limits: tuple[Limit, ...] = ()
    concurrency: Concurrency | None = None


class ToolRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for the calls of one tool, or of all that a glob matches."""

    require: tuple[Rule, ...] = ()
    deny_if: tuple[Rule, ...] = ()
    limits: tuple[Limit, ...] = ()
    action: Literal["allow", "deny", "require_approval"] = "allow"
    reason: str | None = None
    approve_if: tuple[Rule, ...] = ()
    approval: Approval | None = None
    arguments: Schema | None = None
    concurrency: Concurrency | None = None
    rate_limit: RateLimit | None = None
    validate: Validate = Validate()
    audit: Audit = Audit()


class ResourceRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for reading one resource, or all that a glob matches. Its fields are among those of `ToolRules`."""

    action: Literal["allow", "deny"] = "allow"
    reason: str | None = None
    limits: tuple[Limit, ...] = ()
    concurrency: Concurrency | None = None


class PromptRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What holds for getting one prompt, or all that a glob matches. Its fields are among those of `ToolRules`."""

    action: Literal["allow", "deny"] = "allow"
    reason: str | None = None
    require: tuple[Rule, ...] = ()
    deny_if: tuple[Rule, ...] = ()
    arguments: Schema | None = None
    limits: tuple[Limit, ...] = ()
    concurrency: Concurrency | None = None


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A whole document. One made by `load_policy` has passed every check and always compiles."""

    version: Literal["1"]
    default: Literal["allow", "deny"]
    description: str = ""
    hide: tuple[str, ...] = ()
    all_tools: AllTools = AllTools()
    tools: dict[str, ToolRules] = {}
    resources: dict[str, ResourceRules] = {}
    prompts: dict[str, PromptRules] = {}
    listing: Literal["all"] | None = msgspec.field(name="list", default=None)
