"""Both cores do what the vectors in tests/vectors/core say, one by one."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.differential.bench import SECOND_NS, Bench, LimitSpec

VECTORS = Path(__file__).parents[1] / "vectors" / "core"


def vectors(name):
    cases = json.loads((VECTORS / f"{name}.json").read_text())
    return [pytest.param(case, id=str(case.get("says", list(case.values())))) for case in cases]


def limit_spec(core, *, kind, window_s, maximum, burst=1, cost=1):
    return LimitSpec(getattr(core, kind), window_s * SECOND_NS, maximum, burst, cost)


class PythonPattern:
    """A pattern for tests: the vectors use nothing that engines disagree on."""

    def __init__(self, pattern):
        self.search = re.compile(pattern).search

    def is_valid(self, text):
        return self.search(text) is not None


@pytest.mark.parametrize("case", vectors("conditions"))
def test_condition(core, case):
    """A condition holds, fails or is mistyped as the table in policy.md has it."""
    value = case["value"]
    if case["op"] == "REGEX":
        value = PythonPattern(value)
    elif case["op"] in ("IN", "NOT_IN"):
        value = tuple(value)
    path = tuple(core.EACH if step == "[*]" else step for step in case["path"])
    condition = core.Condition(path, getattr(core, case["op"]), value, case.get("of_length", False))
    for every in [case["every"]] if "every" in case else [True, False]:
        assert condition.test(case["arguments"], every) == getattr(core, case["result"])


@pytest.mark.parametrize("case", vectors("bodies"))
def test_body(scanner, case):
    """A scan finds the first problem and counts the colons outside strings."""
    expected = (getattr(scanner, case["problem"]), case["position"], case["colons"])
    assert scanner.scan(case["body"].encode()) == expected


@pytest.mark.parametrize("case", vectors("globs"))
def test_glob(core, case):
    """Only the star is special in a glob, and the whole name has to match."""
    assert core.matches_glob(case["pattern"], case["name"]) == case["matches"]


@pytest.mark.parametrize("case", vectors("limits"))
def test_limits(core, case):
    """A script of calls and rollbacks gets the answers and the exact waits that it expects."""
    bench = Bench(core, (limit_spec(core, **limit) for limit in case["limits"]))
    for place, word in case.get("words", {}).items():
        limit, offset = map(int, place.split("."))
        bench.words[bench.blocks[limit] + offset] = word
    receipts: list[Any] = []
    for step in case["steps"]:
        now_ns, wall_ns = step.get("at_ns", 1), step.get("wall_ns", 0)
        if "rolls_back" in step:
            bench.rollback(receipts[step["rolls_back"]], now_ns)
            continue
        code, index, detail, receipt = bench.decide(now_ns, wall_ns)
        assert code == getattr(core, step["gives"]), step
        if code == core.ALLOW:
            assert (index, detail) == (-1, 0)
            receipts.append(receipt)
        else:
            assert (index, detail, receipt) == (step.get("index", 0), step.get("wait_ns", 0), None)
