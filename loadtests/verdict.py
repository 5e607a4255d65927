"""What a run has shown: what arrived at the server beside what the policy promises, and how long agents waited.

It takes counts and returns words; `run` brings the counts.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.reading.scalars import duration_ns
from loadtests.promises import most_promised, most_within
from loadtests.scenarios import APPROVED, DISTURBED, STEADY, Scenario

_WINDOWS_NS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
SECOND_NS: Final = 1_000_000_000
# A call arrives a little after it was decided, so that arrivals may lie closer together than decisions.
LATE_NS: Final = SECOND_NS

Times = Mapping[tuple[str, str], Sequence[int]]
"""When calls arrived at the server, in nanoseconds, by tool and grant."""


class Timing(msgspec.Struct, frozen=True):
    """How long requests of one name took, as locust counted."""

    name: str
    count: int
    failures: int
    p50_ms: int
    p99_ms: int


class Account(msgspec.Struct, frozen=True):
    """What the agents say they did."""

    answered: dict[str, dict[str, int]]
    """Calls by tool and grant."""
    approved: dict[str, int]
    """Approvals that were given, by grant."""
    faults: dict[str, int]
    """What no agent should have met, and how often."""
    timings: list[Timing]


class Row(msgspec.Struct, frozen=True):
    """One tool."""

    tool: str
    promise: str
    answered: int
    arrived: int
    over: int
    """Calls that the policy does not allow and that arrived all the same."""
    under: int | None
    """Calls that the policy allows and that did not arrive; None where arrivals cannot tell."""


class Verdict(msgspec.Struct, frozen=True):
    """The outcome of one scenario."""

    scenario: str
    rows: list[Row]
    timings: list[Timing]
    breaches: list[str]


def judge(
    scenario: Scenario, times: Times, most_in_flight: Mapping[tuple[str, str], int], account: Account, *, latency: bool
) -> Verdict:
    """Compare; the thresholds of latency count only if `latency`."""
    tools = sorted({tool for tool, _ in times} | set(account.answered))
    rows = [_row(scenario, tool, times, most_in_flight, account) for tool in tools]
    breaches = [
        *_inexact(scenario, rows),
        *(f"{count} x {fault}" for fault, count in sorted(account.faults.items())),
        *(f"{timing.failures} of {timing.name!r} failed" for timing in account.timings if timing.failures),
        *(_slow(scenario, {timing.name: timing for timing in account.timings}) if latency else ()),
    ]
    return Verdict(scenario.name, rows, account.timings, breaches)


def _inexact(scenario: Scenario, rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        if row.over:
            yield f"{row.tool}: {row.over} calls more than promised arrived"
    met = {row.tool for row in rows if row.over or row.answered > row.arrived}
    for tool, entry in scenario.policy["tools"].items():
        if entry and tool not in met:
            yield f"{tool}: no call was refused, so nothing is shown; call more often"


def _slow(scenario: Scenario, timings: Mapping[str, Timing]) -> Iterator[str]:
    for name, most_ms in scenario.p99_ms.items():
        timing = timings.get(name)
        if timing is None:
            yield f"nothing was named {name!r}, so its p99 is unknown"
        elif timing.p99_ms > most_ms:
            yield f"p99 of {name!r} is {timing.p99_ms} ms, above {most_ms} ms"
    if scenario.p99_ratio is None:
        return
    if not {STEADY, DISTURBED} <= set(timings):
        yield "the runaway cannot be judged: the run was too short"
    elif timings[DISTURBED].p99_ms > scenario.p99_ratio * timings[STEADY].p99_ms:
        yield (
            f"beside the runaway the others' p99 is {timings[DISTURBED].p99_ms} ms, "
            f"more than {scenario.p99_ratio:g} x {timings[STEADY].p99_ms} ms"
        )


def _row(
    scenario: Scenario,
    tool: str,
    times: Times,
    most_in_flight: Mapping[tuple[str, str], int],
    account: Account,
) -> Row:
    arrived = {grant: list(at) for (called, grant), at in times.items() if called == tool}
    answered = account.answered.get(tool, {})
    entry = scenario.policy["tools"].get(tool)
    over, under, words = 0, None, []
    if entry is None:
        words, over = ["never"], sum(map(len, arrived.values()))
    elif tool == APPROVED:
        spare = {grant: account.approved.get(grant, 0) - len(arrived.get(grant, ())) for grant in scenario.labels}
        strangers = sum(len(at) for grant, at in arrived.items() if grant not in spare)
        over = strangers + sum(-left for left in spare.values() if left < 0)
        words, under = ["once for each approval"], sum(left for left in spare.values() if left > 0)
    else:
        for limit in entry.get("limits", ()):
            over += _over(limit, arrived)
            words.append(f"{limit['max']} in {limit['window']} by {limit.get('algorithm', 'sliding_window')}")
            under = _under(limit, answered, arrived) if len(entry) == 1 else None
        if "concurrency" in entry:
            words.append(f"{entry['concurrency']} at a time")
            over += sum(max(0, most_in_flight[key] - entry["concurrency"]) for key in most_in_flight if key[0] == tool)
    return Row(tool, ", ".join(words), sum(answered.values()), sum(map(len, arrived.values())), over, under)


def _over(limit: Mapping[str, Any], arrived: Mapping[str, list[int]]) -> int:
    """How far the fullest window of each bucket is above the promise, in calls."""
    pooled = limit["scope"] == "server"
    buckets = [sorted(at for times in arrived.values() for at in times)] if pooled else list(arrived.values())
    most = most_promised(limit)
    return sum(max(0, most_within(times, _window_ns(limit) - LATE_NS) - most) for times in buckets)


def _under(limit: Mapping[str, Any], answered: Mapping[str, int], arrived: Mapping[str, list[int]]) -> int | None:
    """Calls that would have fitted, where the window is longer than any run and each grant has its own."""
    if limit["window"] != "day" or limit["scope"] != "grant":
        return None
    most: int = limit["max"]
    return sum(max(0, min(calls, most) - len(arrived.get(grant, ()))) for grant, calls in answered.items())


def _window_ns(limit: Mapping[str, Any]) -> int:
    window = limit["window"]
    return _WINDOWS_NS[window] * SECOND_NS if window in _WINDOWS_NS else duration_ns(window)


def table(verdict: Verdict) -> str:
    """The verdict for people."""
    lines = [
        f"{verdict.scenario}: {'BREACHED' if verdict.breaches else 'held'}",
        f"  {'tool':16} {'allowed':42} {'answered':>8} {'arrived':>8} {'over':>5} {'under':>6}",
    ]
    for row in verdict.rows:
        under = "-" if row.under is None else str(row.under)
        promise = row.promise or "always"
        lines.append(f"  {row.tool:16} {promise:42} {row.answered:8} {row.arrived:8} {row.over:5} {under:>6}")
    lines.append(f"  {'request':36} {'count':>8} {'p50 ms':>8} {'p99 ms':>8}")
    lines += [f"  {each.name:36} {each.count:8} {each.p50_ms:8} {each.p99_ms:8}" for each in verdict.timings]
    return "\n".join([*lines, *(f"  BREACH: {breach}" for breach in verdict.breaches)])
