"""Sets what the suite found directly beside what it found through the gateway: a table, and each difference."""

from collections import Counter
from collections.abc import Iterator, Mapping, Set

import msgspec

from tests.conformance.suite import Outcome

_NOTHING = Outcome(())


class Comparison(msgspec.Struct, frozen=True):
    """The outcomes of one run of the suite, by scenario. Without `scored`, every scenario counts as scored."""

    revision: str
    direct: Mapping[str, Outcome]
    gateway: Mapping[str, Outcome]
    scored: Set[str] | None = None

    @property
    def scenarios(self) -> list[str]:
        """All scenarios that ran either way."""
        return sorted(self.direct.keys() | self.gateway.keys())

    @property
    def different(self) -> list[str]:
        """Scenarios in which a check ended otherwise, was missing or came in addition, or a message did."""
        return [name for name in self.scenarios if _found(self.direct, name) != _found(self.gateway, name)]

    @property
    def failed_directly(self) -> list[str]:
        """Scored scenarios that the fixture server itself does not pass."""
        scored = self.scenarios if self.scored is None else sorted(self.scored)
        return [name for name in scored if name not in self.direct or self.direct[name].has_failed]

    @property
    def is_good(self) -> bool:
        """Whether the gateway made no difference, and the fixture is what it should be."""
        return not self.different and not self.failed_directly


def report(comparison: Comparison) -> str:
    """The comparison as a Markdown table, its summary and what differs, for people to read."""
    return "\n".join([f"## {comparison.revision}", "", *_table(comparison), "", *_summary(comparison)])


def _found(outcomes: Mapping[str, Outcome], scenario: str) -> tuple[Counter[tuple[str, str]], int]:
    outcome = outcomes.get(scenario, _NOTHING)
    return outcome.tally, outcome.messages


def _table(comparison: Comparison) -> Iterator[str]:
    width = max(map(len, ["scenario", *comparison.scenarios]))
    yield f"| {'scenario':{width}} | direct | gateway | same |"
    yield f"|{'-' * (width + 2)}|-------:|--------:|------|"
    for name in comparison.scenarios:
        same = "no" if name in comparison.different else "yes"
        direct, gateway = _score(comparison.direct, name), _score(comparison.gateway, name)
        yield f"| {name:{width}} | {direct:>6} | {gateway:>7} | {same:4} |"


def _score(outcomes: Mapping[str, Outcome], scenario: str) -> str:
    outcome = outcomes.get(scenario)
    return f"{outcome.passed}/{len(outcome.checks)}" if outcome else "-"


def _summary(comparison: Comparison) -> Iterator[str]:
    scored = comparison.scenarios if comparison.scored is None else comparison.scored
    passed = len(scored) - len(comparison.failed_directly)
    total = len(comparison.scenarios)
    same = total - len(comparison.different)
    yield f"Scored scenarios passed directly: {passed} of {len(scored)}. Same through the gateway: {same} of {total}."
    for name in comparison.failed_directly:
        yield f"- {name} fails directly"
    for name in comparison.different:
        yield f"- {name} differs:"
        yield from _difference(comparison.direct.get(name, _NOTHING), comparison.gateway.get(name, _NOTHING))


def _difference(direct: Outcome, gateway: Outcome) -> Iterator[str]:
    """The checks that only one side has, each with what the suite says about it, and the messages it saw."""
    for side, ours, others in (("direct", direct, gateway), ("gateway", gateway, direct)):
        for id, status in sorted(ours.tally - others.tally):
            said = next(check.error_message for check in ours.checks if (check.id, check.status) == (id, status))
            yield f"  - {side}: {id} {status} {said}".rstrip()
    if direct.messages != gateway.messages:
        yield f"  - direct: {direct.messages} messages seen; gateway: {gateway.messages}"
