"""docs/metrics.md, written from the metrics as `gateway.metrics` declares them."""

from collections.abc import Iterator
from typing import Final

from prometheus_client import Info
from prometheus_client.registry import Collector

from gateway.metrics import LABELS, Metrics
from gateway.series import Family

_HEAD: Final = """\
<!-- Written by grafana/build.py from gateway/metrics.py; change that, then run `make dashboards`. -->

# Metrics

What the second listener gives at `/metrics`. Names and labels are a promise; [observability.md](observability.md) says
how to scrape them, and has the dashboards and alerts that are made of them.

| metric | kind | labels | what |
|---|---|---|---|
"""

_BETWEEN: Final = """
`process_…` and `python_…` besides are those of every Prometheus client in Python: memory, CPU, file descriptors and
garbage collection.

## Labels

Every label has a closed set of values, so that no agent can make the number of series grow: never a token, an id of a
session or an argument.

| label | values |
|---|---|
"""

_TAIL: Final = """
## What they cost

Counting one call takes a few microseconds; `make bench` measures it. A scrape holds the event loop for less than 50 ms
and is smaller than 2 MB with 200 grants that have used all of 44 tools; a test sees to that.
"""


def metrics_page() -> str:
    """The page."""
    members = list(_members())
    rows = (f"| `{name}` | {kind} | {', '.join(labels)} | {text} |\n" for name, kind, labels, text in members)
    used = dict.fromkeys(label for _, _, labels, _ in members for label in labels)
    values = (f"| `{label}` | {LABELS[label]} |\n" for label in used)
    return _HEAD + "".join(rows) + _BETWEEN + "".join(values) + _TAIL


def metric_names() -> list[str]:
    """The name of every metric of ours, as Prometheus sees it: a histogram without `_bucket` and the like."""
    return [name for name, _, _, _ in _members()]


def _members() -> Iterator[tuple[str, str, tuple[str, ...], str]]:
    for member in Metrics("0", "none").registry.members:
        if described := _described(member):
            yield described


def _described(member: Collector) -> tuple[str, str, tuple[str, ...], str] | None:
    """What there is to say of a family; None of those that every Prometheus client has."""
    match member:
        case Family():
            return member.full_name, member.kind, member.labelnames, member.documentation
        case Info():
            (family,) = member.collect()
            return f"{family.name}_info", "info", tuple(family.samples[0].labels), family.documentation
        case _:
            return None
