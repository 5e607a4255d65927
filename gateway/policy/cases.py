"""Golden cases of a policy: calls one after another, and what is expected of each. `gateway test` runs them.

A file of cases is a list of mappings (docs/authoring.md). Time is the case's own; no clock is read.
"""

import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from gateway.documents import Document
from gateway.errors import DocumentError
from gateway.policy.decision import Call, Decision, Kind
from gateway.policy.engine import Engine
from gateway.policy.explain import Explanation, explain
from gateway.policy.load import load_policy
from gateway.policy.memory_budget import MemoryBudget, MemoryTable
from gateway.policy.model import Duration, Policy
from gateway.policy.schemas import NO_SCHEMAS, KnownSchemas, SchemaSource
from gateway.policy.tables import compile_policy
from gateway.policy.windows import DAY_NS, SECOND_NS
from gateway.reading import shapes
from gateway.reading.outcome import Fault, Path
from gateway.reading.scalars import duration_ns, instant_ns, instant_text

START_NS: Final = 1_800_000_000 * SECOND_NS
"""What the wall clock of a case shows at first: 2027-01-15T08:00:00Z."""
DEFAULT_GRANT: Final = "alice"

_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")
# Any time will do, and the core's own zero is best avoided by tests.
_FIRST_MONOTONIC_NS: Final = 1_000 * SECOND_NS


class LimitExpected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of the limit that refuses, in full."""

    counter: str
    limit: int
    remaining: int
    retry_after_ms: int | None


class TermsExpected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The terms of the approval that is asked for."""

    expires_ns: int
    hold_ns: int


class ExpectedCall(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One call and what is expected of it. What is left out is not looked at."""

    verdict: Literal["allow", "deny", "throttle", "pending", "error"]
    rule: str | None = None
    tool: str | None = None
    resource: str | None = None
    prompt: str | None = None
    arguments: dict[str, object] = {}
    grant: str = DEFAULT_GRANT
    session: str | None = None
    at: str | None = None
    after: Duration = 0
    approved: bool = False
    free: bool = False
    busy: dict[str, int] = {}
    message: str | None = None
    retry_after: Duration | None = None
    remaining: int | None = None
    limit: LimitExpected | None = None
    terms: TermsExpected | None = None
    shadow: dict[str, str] | None = None
    holds: list[str] | None = None
    kept: dict[str, object] | None = None

    @property
    def target(self) -> tuple[Kind, str]:
        """What the call is aimed at."""
        named = {Kind.TOOL: self.tool, Kind.RESOURCE: self.resource, Kind.PROMPT: self.prompt}
        return next((kind, name) for kind, name in named.items() if name is not None)


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Calls that share counters and a clock."""

    name: str = msgspec.field(name="case")
    calls: list[ExpectedCall]
    policy: dict[str, object] | None = None
    """Instead of the one that is under test."""
    schemas: dict[str, dict[str, object]] = {}
    """What the server lists, for `validate`."""


class Mismatch(msgspec.Struct, frozen=True):
    """One thing that is not as expected."""

    what: str
    expected: object
    got: object


class Outcome(msgspec.Struct, frozen=True):
    """One call that was made."""

    place: str
    """Of the expectation: file, line and column."""
    decision: Decision
    kept: dict[str, object]
    explanation: Explanation
    mismatches: tuple[Mismatch, ...]


class Cases(msgspec.Struct, frozen=True):
    """A file of cases that has been read."""

    document: Document
    cases: tuple[Case, ...]


def load_cases(document: Document) -> Cases:
    """Read a file of cases. Raises DocumentError with every mistake in it, its policies and times aside."""
    value = document.value
    faults = list(shapes.faults(value, list[Case])) or list(_faults(msgspec.convert(value, list[Case])))
    if faults:
        raise DocumentError(document.problems(faults))
    return Cases(document, tuple(msgspec.convert(value, list[Case])))


def run_case(cases: Cases, index: int, policy: Policy | None, schemas: SchemaSource = NO_SCHEMAS) -> Iterator[Outcome]:
    """Make the calls of one case, by its own policy and schemas if it has them, else by these.

    Raises DocumentError for a case without any policy, with one that is wrong, or with a time that is none.
    """
    case, document = cases.cases[index], cases.document
    if case.policy is not None:
        policy = load_policy(document.at(index, "policy"))
    if policy is None:
        raise DocumentError(
            [document.problem((index,), "there is no policy to test; name one, or give the case its own")]
        )
    if case.schemas:
        schemas = _schemas(case, document, (index, "schemas"))
    bench = _Bench(Engine(compile_policy(policy, schemas)))
    for number, expected in enumerate(case.calls):
        path: Path = (index, "calls", number)
        try:
            bench.move(expected, is_first=number == 0)
        except ValueError as error:
            raise DocumentError([document.problem((*path, "at"), str(error))]) from None
        yield bench.make(expected, document.place(path).partition(": ")[0])


class _Bench:
    """The grants of one case, which share counters and a clock."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._table = MemoryTable()
        self._budgets: dict[str, MemoryBudget] = {}
        self._elapsed_ns = 0
        self._start_ns = START_NS

    def move(self, expected: ExpectedCall, *, is_first: bool) -> None:
        """Set the clock for a call. Raises ValueError for a time that is none, or that has passed."""
        if expected.at is not None:
            wall_ns = self._start_ns + self._elapsed_ns
            at_ns = _at_ns(expected.at, wall_ns)
            if is_first:
                self._start_ns = at_ns
            elif at_ns < wall_ns:
                raise ValueError(f"it is {instant_text(wall_ns)} already; name a later time, with its day perhaps")
            else:
                self._elapsed_ns = at_ns - self._start_ns
        self._elapsed_ns += _span_ns(expected.after)

    def make(self, expected: ExpectedCall, place: str) -> Outcome:
        budget = self._budgets.get(expected.grant)
        if budget is None:
            budget = MemoryBudget(self._engine.policy.counters, self._table, grant=expected.grant)
            self._budgets[expected.grant] = budget
        budget.busy |= expected.busy
        kind, target = expected.target
        call = Call(kind, target, expected.arguments, expected.approved, expected.free)
        within = budget.in_session(expected.session)
        times = _FIRST_MONOTONIC_NS + self._elapsed_ns, self._start_ns + self._elapsed_ns
        explanation = explain(self._engine, call, within, *times)
        decision = self._engine.decide(call, within, *times)
        kept = self._engine.kept(call)
        mismatches = list(_mismatches(expected, decision, kept))
        if expected.remaining is not None:
            left = _tightest(explain(self._engine, call, within, *times))
            if left != expected.remaining:
                mismatches.append(Mismatch("remaining", expected.remaining, left))
        return Outcome(place, decision, kept, explanation, tuple(mismatches))


def _faults(cases: list[Case]) -> Iterator[Fault]:
    """What is wrong beyond the shapes."""
    for index, case in enumerate(cases):
        for number, expected in enumerate(case.calls):
            path: Path = (index, "calls", number)
            if sum(name is not None for name in (expected.tool, expected.resource, expected.prompt)) != 1:
                yield path, "a call is aimed at one `tool`, `resource` or `prompt`"
            for field in ("after", "retry_after"):
                try:
                    _span_ns(getattr(expected, field) or 0)
                except ValueError as error:
                    yield (*path, field), str(error)


def _schemas(case: Case, document: Document, path: Path) -> KnownSchemas:
    try:
        return KnownSchemas(case.schemas)
    except ValueError as error:
        raise DocumentError([document.problem(path, str(error))]) from None


def _mismatches(expected: ExpectedCall, decision: Decision, kept: dict[str, object]) -> Iterator[Mismatch]:
    limit, terms = decision.limit, decision.approval
    wait_ms = limit.retry_after_ms if limit else None
    pairs = [
        ("verdict", expected.verdict, str(decision.verdict)),
        ("rule", expected.rule, decision.rule),
        ("message", expected.message, decision.message),
        ("retry_after", _milliseconds(expected.retry_after), None if wait_ms is None else f"{wait_ms} ms"),
        ("limit", _plain(expected.limit), _plain(limit)),
        ("terms", _plain(expected.terms), _plain(terms)),
        ("shadow", expected.shadow, {outcome.rule: str(outcome.verdict) for outcome in decision.shadow}),
        ("holds", expected.holds, [hold.name for hold in decision.holds]),
        ("kept", expected.kept, kept),
    ]
    for what, wanted, got in pairs:
        if wanted is not None and wanted != got:
            yield Mismatch(what, wanted, got)


def _tightest(after: Explanation) -> int | None:
    """How many such calls may follow at once, by the limit that admits the fewest."""
    states = [step.limit for step in after.steps if step.limit and not step.is_shadow]
    return min((state.remaining for state in states), default=None)


def _plain(struct: msgspec.Struct | None) -> object:
    return None if struct is None else msgspec.to_builtins(struct)


def _milliseconds(span: Duration | None) -> str | None:
    return None if span is None else f"{-(-_span_ns(span) // 1_000_000)} ms"


def _span_ns(span: Duration) -> int:
    """Nanoseconds of `61s`, or of a number of seconds. Raises ValueError, also for a span that goes backwards."""
    if isinstance(span, str):
        return duration_ns(span)
    if span < 0:
        raise ValueError("time does not go backwards; write a duration such as `61s`, or seconds")
    return round(span * SECOND_NS)


def _at_ns(text: str, wall_ns: int) -> int:
    """UTC of `12:00:00` on the day of `wall_ns`, or of a time in full. Raises ValueError."""
    match = _TIME_OF_DAY.fullmatch(text)
    if match is None:
        return instant_ns(text)
    hours, minutes, seconds = map(int, match.groups())
    return wall_ns - wall_ns % DAY_NS + (hours * 3600 + minutes * 60 + seconds) * SECOND_NS
