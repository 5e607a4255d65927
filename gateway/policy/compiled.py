"""A policy made ready to decide with: for each entry the core's program, and the names of what it refuses by.

`tables.py` makes these when a policy is loaded; the engine reads them for every call.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from gateway import fastpath
from gateway.policy import messages, names
from gateway.policy.decision import ApprovalTerms, ConcurrencyHold, Decision, Kind, Verdict
from gateway.policy.limits import Counter
from gateway.policy.lookup import AmbiguousError, Keyed
from gateway.policy.model import Rule
from gateway.policy.paths import ArgumentPath


class JudgedRule(msgspec.Struct, frozen=True):
    """A rule as the document has it, its name, and its conditions as the core has them."""

    name: str
    rule: Rule
    conditions: tuple[fastpath.Condition, ...]


class JudgedCheck(msgspec.Struct, frozen=True):
    """A JSON Schema that the arguments must fit, and its name."""

    name: str
    check: Any
    """A `jsonschema_rs.Validator`, or a `ServerCheck` by the server's own schema."""
    wanted: str
    """What the arguments must fit, in words or as canonical JSON."""


class JudgedLimit(msgspec.Struct, frozen=True):
    """A limit that the calls of one entry meet, its name, and the counter it spends on."""

    name: str
    counter: Counter
    slot: int
    """Which of the policy's counters."""
    is_shared: bool
    """Whether calls of other tools spend on the counter too."""
    on_deny: str | None
    core: fastpath.Limit
    least_cost: int = 1
    """What a call costs whatever its arguments are."""
    cost_paths: tuple[ArgumentPath, ...] = ()
    """In the order in which the core has them."""


class CallTable(msgspec.Struct, frozen=True):
    """All that the calls of one entry are judged by; the tuples stand in the order of the program."""

    name: str
    """The rule that an allowed call is recorded under."""
    program: fastpath.Program
    require: tuple[JudgedRule, ...] = ()
    deny_if: tuple[JudgedRule, ...] = ()
    checks: tuple[JudgedCheck, ...] = ()
    approve_if: tuple[JudgedRule, ...] = ()
    limits: tuple[JudgedLimit, ...] = ()
    holds: tuple[ConcurrencyHold, ...] = ()
    approval: ApprovalTerms | None = None
    shadow_rules: tuple["CallTable", ...] = ()
    """Each with the one rule that is in shadow mode."""
    shadow_limits: tuple["CallTable", ...] = ()
    """Each with the one limit that is in shadow mode."""

    @property
    def unconditional_denial(self) -> JudgedRule | None:
        """The `deny_if` rule without conditions, where there is one: it denies every call."""
        return next((judged for judged in self.deny_if if not judged.rule.conditions), None)


def table_of(
    name: str,
    require: tuple[JudgedRule, ...] = (),
    deny_if: tuple[JudgedRule, ...] = (),
    checks: tuple[JudgedCheck, ...] = (),
    approve_if: tuple[JudgedRule, ...] = (),
    limits: tuple[JudgedLimit, ...] = (),
) -> CallTable:
    """A table of these, with its program."""
    program = fastpath.Program(
        tuple(fastpath.Rule(judged.conditions) for judged in require),
        tuple(fastpath.Rule(judged.conditions) for judged in deny_if),
        tuple(judged.check for judged in checks),
        tuple(fastpath.Rule(judged.conditions) for judged in approve_if),
        tuple(judged.core for judged in limits),
    )
    return CallTable(name, program, require, deny_if, checks, approve_if, limits)


class Entry(msgspec.Struct, frozen=True):
    """What stands under one key of a policy."""

    judge: CallTable | Decision
    """A decision where arguments do not matter."""
    keep: tuple[tuple[str, ArgumentPath], ...] = ()
    """The arguments to record, by the path as it is written."""


class CompiledPolicy(msgspec.Struct, frozen=True):
    """An immutable policy for one server, ready for `Engine`. Any number of grants may share one."""

    revision: str
    """Twelve hex digits of the SHA-256 of the document, the same for every layout of it."""
    default_allows: bool
    hide: tuple[str, ...]
    lists_denied: bool
    """Whether `tools/list` shows tools that are denied."""
    entries: Mapping[Kind, Keyed[Entry]]
    unlisted: Mapping[Kind, Entry | None]
    """What judges the names that no key matches; None where these are denied."""
    counters: tuple[Counter, ...]
    """The counters of all limits; a limit's `slot` is an index into them."""
    needs_schemas: bool
    """Whether some rule needs the server's own schemas."""

    @property
    def tool_names(self) -> tuple[str, ...]:
        """The tools that the policy names exactly."""
        return tuple(self.entries[Kind.TOOL].exact)

    def entry_of(self, kind: Kind, name: str) -> Entry:
        """What calls aimed at this name are judged by. Steps 3 to 5 of policy.md, "Order of evaluation"."""
        if kind is Kind.TOOL and self.is_hidden(name):
            return _denied(name, names.HIDDEN)
        try:
            found = self.entries[kind].find(name) or self.unlisted[kind]
        except AmbiguousError as error:
            return Entry(Decision(Verdict.DENY, names.AMBIGUOUS, messages.ambiguous(name, error.globs)))
        return found or _denied(name, names.DEFAULT_DENY)

    def is_hidden(self, tool: str) -> bool:
        """Whether `hide` takes the tool out of every list."""
        return any(fastpath.matches_glob(glob, tool) for glob in self.hide)


def _denied(name: str, rule: str) -> Entry:
    return Entry(Decision(Verdict.DENY, rule, messages.not_allowed(name)))
