"""How exactly each algorithm keeps its promise, as a page and a picture: `make accuracy`.

The engine, the compiled core and `SystemClock` judge calls on a machine whose clocks this module moves. Nothing is
measured, so that the outcome is the same everywhere; `ideal` says what should have come out, in a way of its own.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Final
from unittest.mock import patch

import msgspec

from gateway.clock import SystemClock
from gateway.policy.decision import Call, Kind, Verdict
from gateway.policy.engine import Engine
from gateway.policy.memory_budget import MemoryBudget
from gateway.policy.model import Policy
from gateway.policy.tables import compile_policy
from loadtests.curves import draw
from loadtests.promises import most_promised, most_within

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "accuracy.md"
PICTURE: Final = ROOT / "docs" / "images" / "limits-accuracy.svg"

SECOND_NS: Final = 1_000_000_000
MAX: Final = 10
WINDOW_NS: Final = 10 * SECOND_NS
SPAN_NS: Final = 60 * SECOND_NS
# A multiple of the window, so that calendar windows begin where the picture does.
START_NS: Final = 1_800_000_000 * SECOND_NS

ALGORITHMS: Final = ("sliding_window", "fixed_window", "token_bucket")
RATES: Final = (Fraction(1, 2), Fraction(1), Fraction(2), Fraction(50))
"""Calls offered, by the rate that the limit allows."""
PATTERNS: Final = ("steady", "bursty", "at boundaries", "clock stepped")
_BURST_EVERY_NS: Final = 5 * SECOND_NS
_AROUND_BOUNDARY_NS: Final = SECOND_NS // 10
# When the machine's wall clock is set, and to how much beside the right time. In the middle of calendar windows, since
# at a boundary a fixed window would begin anew rightly.
_STEPS_NS: Final = ((25 * SECOND_NS, 3600 * SECOND_NS), (45 * SECOND_NS, -3600 * SECOND_NS))


class Run(msgspec.Struct, frozen=True):
    """One algorithm under one pattern at one rate; times in nanoseconds since its beginning."""

    algorithm: str
    pattern: str
    rate: Fraction
    calls: Sequence[int]
    admitted: Sequence[int]
    ideal: Sequence[int]

    @property
    def fullest(self) -> int:
        """The most calls admitted in any window."""
        return most_within(self.admitted, WINDOW_NS)

    @property
    def promised(self) -> int:
        """The most there may be."""
        return most_promised(limit(self.algorithm))


class Machine:
    """The clocks of a machine, in place of the module `time`."""

    CLOCK_BOOTTIME: Final = 7

    def __init__(self) -> None:
        self.elapsed_ns = 0
        self.wrong_ns = 0
        """How far its wall clock is from the right time."""

    def monotonic_ns(self) -> int:
        """Unmoved by whoever sets the wall clock."""
        return 1_000 * SECOND_NS + self.elapsed_ns

    def clock_gettime_ns(self, _: int) -> int:
        """The time since boot, which nobody sets either."""
        return self.monotonic_ns()

    def time_ns(self) -> int:
        """What its wall clock shows."""
        return START_NS + self.elapsed_ns + self.wrong_ns


def limit(algorithm: str) -> dict[str, Any]:
    """Ten calls in ten seconds."""
    return {"counter": "c", "window": "10s", "max": MAX, "scope": "grant", "algorithm": algorithm}


def offered(pattern: str, rate: Fraction) -> list[int]:
    """When calls are made."""
    per_second = rate * Fraction(MAX * SECOND_NS, WINDOW_NS)
    match pattern:
        case "steady" | "clock stepped":
            every_ns = SECOND_NS / per_second
            return [int(number * every_ns) for number in range(int(SPAN_NS / every_ns))]
        case "bursty":
            size = int(-(-per_second * _BURST_EVERY_NS // SECOND_NS))
            return [at for at in range(0, SPAN_NS, _BURST_EVERY_NS) for _ in range(size)]
        case "at boundaries":
            half = int(-(-per_second * WINDOW_NS // (2 * SECOND_NS)))
            step_ns = _AROUND_BOUNDARY_NS // half
            boundaries = range(WINDOW_NS, SPAN_NS, WINDOW_NS)
            return [at + number * step_ns for at in boundaries for number in range(-half, half)]
        case _:
            raise ValueError(f"there is no pattern {pattern}")


def admitted(algorithm: str, calls: Sequence[int], *, is_stepped: bool) -> list[int]:
    """When calls were allowed by the engine, of those made at these times."""
    tools = {"t": {"limits": [limit(algorithm)]}}
    engine = Engine(compile_policy(msgspec.convert({"version": "1", "default": "deny", "tools": tools}, Policy)))
    budget, call = MemoryBudget(engine.policy.counters, grant="a"), Call(Kind.TOOL, "t", {})
    machine, allowed = Machine(), []
    with patch("gateway.clock.time", machine):
        clock = SystemClock()
        for at in calls:
            machine.elapsed_ns = at
            machine.wrong_ns = next((by for since, by in reversed(_STEPS_NS) if is_stepped and at >= since), 0)
            if engine.decide(call, budget, clock.monotonic_ns(), clock.wall_ns()).verdict is Verdict.ALLOW:
                allowed.append(at)
    return allowed


def ideal(algorithm: str, calls: Sequence[int]) -> list[int]:
    """What docs/policy.md says should pass, written down as plainly as it can be."""
    allowed: list[int] = []
    tokens, before = Fraction(MAX), 0
    for at in calls:
        match algorithm:
            case "sliding_window":
                passes = sum(at - each < WINDOW_NS for each in allowed) < MAX
            case "fixed_window":
                passes = sum(each // WINDOW_NS == at // WINDOW_NS for each in allowed) < MAX
            case _:
                tokens, before = min(Fraction(MAX), tokens + Fraction((at - before) * MAX, WINDOW_NS)), at
                passes = tokens >= 1
                tokens -= passes
        if passes:
            allowed.append(at)
    return allowed


def runs() -> Iterator[Run]:
    """Every algorithm under every pattern at every rate."""
    for algorithm in ALGORITHMS:
        for pattern in PATTERNS:
            for rate in RATES:
                calls = offered(pattern, rate)
                passed = admitted(algorithm, calls, is_stepped=pattern == "clock stepped")
                yield Run(algorithm, pattern, rate, calls, passed, ideal(algorithm, calls))


def page(done: Sequence[Run]) -> str:
    """The table, with what it says in words."""
    over = sum(max(0, run.fullest - run.promised) for run in done)
    differing = sum(run.admitted != run.ideal for run in done)
    rows = [
        f"| `{run.algorithm}` | {run.pattern} | {float(run.rate):g} x | {len(run.calls)} | {len(run.admitted)} "
        f"| {len(run.ideal)} | {run.fullest} | {run.promised} |"
        for run in done
    ]
    return _PAGE.format(runs=len(done), over=over, differing=differing, rows="\n".join(rows))


_PAGE: Final = """# How exactly limits are kept

Ten calls in ten seconds, for a minute, by each algorithm: calls at half the rate that is allowed, at just that rate, at
twice and at fifty times of it; evenly spread, in bursts every five seconds, within a tenth of a second before and after
each calendar boundary, and evenly on a machine whose wall clock is set an hour ahead of the right time after 25 s and
an hour behind it after 45 s.

{runs} runs; calls above the [promise](policy.md#limits): **{over}**; runs that differ from the ideal in any call:
**{differing}**.

![Admitted calls beside the ideal](images/{picture})

The ideal is the definition of each algorithm, computed plainly and apart from the gateway; the dashed line is what any
of them may have admitted at most since the beginning. Nothing here is a measurement: engine, compiled core and clock
are the gateway's own, on a machine whose clocks are moved by the script, so that the result is the same everywhere.
`make accuracy` writes this page anew, and a test fails where it differs. What a whole gateway lets through under load
is shown by [load tests](load.md).

| algorithm | pattern | rate | calls | admitted | ideal | most in any window | promised |
|---|---|---|---|---|---|---|---|
{rows}
""".replace("{picture}", PICTURE.name)


def files() -> dict[Path, str]:
    """What is generated, by its place."""
    done = list(runs())
    panels = [
        (
            f"{algorithm}, {pattern}",
            [(f"{float(run.rate):g} x", run.admitted) for run in done if (run.algorithm, run.pattern) == key],
        )
        for algorithm in ALGORITHMS
        for pattern in PATTERNS
        for key in [(algorithm, pattern)]
    ]
    ceiling = (MAX, MAX + SPAN_NS * MAX // WINDOW_NS)
    return {PAGE: page(done), PICTURE: draw(panels, columns=len(PATTERNS), span_ns=SPAN_NS, ceiling=ceiling)}


def main() -> int:
    """Write the files; with `--check`, 1 where one differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail where a file is not as it would be")
    args = parser.parse_args()
    differing = [path for path, text in files().items() if not path.exists() or path.read_text() != text]
    if args.check:
        for path in differing:
            print(f"{path.relative_to(ROOT)} is not what `make accuracy` writes", file=sys.stderr)
        return 1 if differing else 0
    for path, text in files().items():
        path.write_text(text)
        print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
