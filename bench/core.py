"""How long the compiled core takes for what every call costs, beside its plain twin.

`make bench` runs it. Both cores are measured in the same process, in turns, so that what else the machine
does falls on both alike; the table gives medians over the rounds and how far the rounds were apart.
"""

import gc
import statistics
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, Final, NamedTuple

import orjson

from gateway import _fastpath, _fastpath_py, _matching, _matching_py, _scan, _scan_py

ROUNDS: Final = 15
ROUND_NS: Final = 40_000_000
MINUTE_NS: Final = 60_000_000_000
WALL_NS: Final = 1_800_000_000_000_000_000

ARGUMENTS: Final = {f"field{number}": number for number in range(10)}
BODY: Final = orjson.dumps(
    {
        "jsonrpc": "2.0",
        "id": 7,
        "method": "tools/call",
        "params": {
            "name": "cancel_task",
            "arguments": {
                "task_id": "3f2a9c",
                "reason": 'it says "done"',
                "addresses": [4198400, 4198416, -1],
            },
            "_meta": {"progressToken": 7},
        },
    }
).ljust(200)


class Timing(NamedTuple):
    """Nanoseconds for one operation, over the rounds."""

    median: float
    spread: float
    """The distance between the first and the third quartile."""


def _both(matching: ModuleType, core: ModuleType) -> SimpleNamespace:
    """A core in one namespace."""
    return SimpleNamespace(
        **{name: value for name, value in {**vars(matching), **vars(core)}.items() if name[0] != "_"}
    )


def ten_rules(core: SimpleNamespace) -> tuple[Any, ...]:
    """Five `require` rules that hold and five `deny_if` rules that do not fire, of one condition each."""
    require = [core.Rule((core.Condition((f"field{n}",), core.EQ, n),)) for n in range(5)]
    deny_if = [core.Rule((core.Condition((f"field{n}",), core.GT, 100),)) for n in range(5, 10)]
    return tuple(require), tuple(deny_if)


def three_limits(core: SimpleNamespace) -> tuple[Any, Any, Any]:
    """One limit of each algorithm, with its words and slots. All admit: a refusal would cost less."""
    kinds = [
        (core.SLIDING_WINDOW, 10_000, 10_000),
        (core.FIXED_WINDOW, 1_000_000_000, 1_000_000_000),
        (core.TOKEN_BUCKET, 1_000_000, 1_000_000),
    ]
    words = core.Words(bytearray(8 * (1 + sum(core.block_length(kind, most) for kind, most, _ in kinds))))
    slots = core.Slots(len(kinds))
    limits, offset = [], 1
    for slot, (kind, most, burst) in enumerate(kinds):
        words[offset] = slot + 1
        slots.bind(slot, offset, slot + 1)
        limits.append(core.Limit(slot, kind, MINUTE_NS, most, burst, 1))
        offset += core.block_length(kind, most)
    return tuple(limits), words, slots


def decision(core: SimpleNamespace) -> Callable[[], Any]:
    """A decision by ten rules and three limits. Time moves on between calls, so that all of them pass."""
    limits, words, slots = three_limits(core)
    program = core.Program(*ten_rules(core), (), (), limits)
    decide, arguments = core.decide, ARGUMENTS
    now_ns = MINUTE_NS

    def operation() -> Any:
        nonlocal now_ns
        now_ns += 10_000_000
        return decide(program, arguments, words, slots, now_ns, WALL_NS + now_ns)

    if operation()[0] != core.ALLOW:
        raise RuntimeError("the benchmark measures calls that pass; this one was refused")
    return operation


def rules_alone(core: SimpleNamespace) -> Callable[[], object]:
    """A decision by ten rules and no limit."""
    program = core.Program(*ten_rules(core), (), (), ())
    words, slots = core.Words(bytearray(8)), core.Slots(0)
    decide, arguments = core.decide, ARGUMENTS
    return lambda: decide(program, arguments, words, slots, MINUTE_NS, WALL_NS)


def scan(scanner: ModuleType) -> Callable[[], object]:
    """The strict scan of a 200-byte body."""
    run, body = scanner.scan, BODY
    return lambda: run(body)


def members(scanner: ModuleType) -> Callable[[], object]:
    """Counting the members of the same body once parsed."""
    run, value = scanner.count_members, orjson.loads(BODY)
    return lambda: run(value)


CORES: Final = (_both(_matching, _fastpath), _both(_matching_py, _fastpath_py))
SCANNERS: Final = (_scan, _scan_py)
OPERATIONS: Final[dict[str, tuple[Callable[[Any], Callable[[], object]], tuple[Any, Any]]]] = {
    "decide, 10 rules and 3 limits": (decision, CORES),
    "decide, 10 rules": (rules_alone, CORES),
    "scan, 200 bytes": (scan, SCANNERS),
    "count_members, the same": (members, SCANNERS),
}


def one_round(operation: Callable[[], object], calls: int) -> float:
    """Nanoseconds per call over so many calls. The cost of the loop itself is included."""
    start = time.perf_counter_ns()
    for _ in range(calls):
        operation()
    return (time.perf_counter_ns() - start) / calls


def compare(*operations: Callable[[], object]) -> list[Timing]:
    """Measure the operations in turns, each round as long as ROUND_NS."""
    calls = [max(1, int(ROUND_NS / one_round(operation, 200))) for operation in operations]
    samples: list[list[float]] = [[] for _ in operations]
    for _ in range(ROUNDS):
        for sample, operation, count in zip(samples, operations, calls, strict=True):
            sample.append(one_round(operation, count))
    return [summary(sample) for sample in samples]


def summary(sample: list[float]) -> Timing:
    """The median and the spread of one operation's rounds."""
    first, median, third = statistics.quantiles(sample, n=4)
    return Timing(median, third - first)


def main() -> None:
    """Print the table: one line for each operation, the compiled core beside the plain twin."""
    gc.disable()
    print(f"ns for one call, loop included: median of {ROUNDS} rounds ± distance of their quartiles\n")
    print(f"{'operation':<32}{'compiled':>16}{'plain twin':>20}{'times faster':>15}")
    for name, (prepare, twins) in OPERATIONS.items():
        compiled, plain = compare(*[prepare(twin) for twin in twins])
        columns = [f"{timing.median:,.0f} ± {timing.spread:,.0f}" for timing in (compiled, plain)]
        print(f"{name:<32}{columns[0]:>16}{columns[1]:>20}{plain.median / compiled.median:>15.1f}")


if __name__ == "__main__":
    main()
