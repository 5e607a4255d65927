"""Everything that dashboards, variables, rules and alerts ask, as Grafana and Prometheus would ask it."""

import math
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from grafana.build import DASHBOARDS
from grafana.panels import Dashboard
from grafana.rules import ALERTS, RECORDINGS
from tests.grafana.prometheus import Prometheus

# What Grafana puts in for its own variables: four scrapes, and the time that is shown.
_OURS: Final = {"$__rate_interval": "10s", "$__range": "2m"}
# A choice of All.
_ALL: Final = ".*"


class Question(msgspec.Struct, frozen=True):
    """One expression, and who asks it."""

    who: str
    expr: str


class Choice(msgspec.Struct, frozen=True):
    """The values of a label that a variable lets one choose from."""

    who: str
    label: str
    selector: str


EMPTY_WHEN_HEALTHY: Final = {
    "alert McpGatewayCountersFull": "all of 65,536 counters would have to be in use",
}
"""Questions that have no answer although every situation was played, each with its reason."""


def questions() -> Iterator[Question]:
    """Every expression."""
    for dashboard in DASHBOARDS:
        for panel in dashboard.panels:
            for number, query in enumerate(panel.queries, start=1):
                yield Question(f"{dashboard.title}: {panel.title}, query {number}", filled(query.expr, dashboard))
    for recording in RECORDINGS:
        yield Question(f"recording {recording.name}", recording.name)
        yield Question(f"expression of {recording.name}", recording.expr)
    for alert in ALERTS:
        yield Question(f"alert {alert.name}", alert.measure)


def choices() -> Iterator[Choice]:
    """What every variable asks."""
    for dashboard in DASHBOARDS:
        for variable in dashboard.variables:
            who = f"{dashboard.title}: ${variable.name}"
            yield Choice(who, variable.label, filled(variable.metric, dashboard))


def filled(expr: str, dashboard: Dashboard) -> str:
    """An expression of a dashboard with its variables filled in. Raises ValueError for one that it does not have."""
    values = _OURS | {f"${variable.name}": _ALL for variable in dashboard.variables}

    def value(match: re.Match[str]) -> str:
        if match[0] not in values:
            raise ValueError(f"{dashboard.title}: there is no variable {match[0]}: {expr}")
        return values[match[0]]

    return re.sub(r"\$\w+", value, expr)


async def unanswered(prometheus: Prometheus) -> list[str]:
    """Every question that has no answer, but for those that have a reason; and reasons that are none."""
    failures = [
        f"{question.who} gives nothing: {question.expr}"
        for question in questions()
        if question.who not in EMPTY_WHEN_HEALTHY and not await _is_answered(prometheus, question)
    ]
    failures += [
        f"{choice.who} has nothing to choose from: {choice.label} of {choice.selector}"
        for choice in choices()
        if not any(await prometheus.values(choice.label, choice.selector))
    ]
    failures += [f"{who}: there is no such question" for who in EMPTY_WHEN_HEALTHY.keys() - _names()]
    return failures


async def unhealthy_rules(prometheus: Prometheus) -> list[str]:
    """Rules that Prometheus could not evaluate, or has not evaluated."""
    return [
        f"{rule['name']} is {rule['health']}: {rule.get('lastError', '')}"
        for rule in await prometheus.rules()
        if rule["health"] != "ok"
    ]


async def _is_answered(prometheus: Prometheus, question: Question) -> bool:
    samples = await prometheus.query(question.expr)
    return not all(math.isnan(float(sample["value"][1])) for sample in samples)


def _names() -> set[str]:
    return {question.who for question in questions()}
