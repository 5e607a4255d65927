"""An explanation in print."""

import io
import re
from typing import Any

from gateway.cli.explained import as_plain, as_table, step_text
from gateway.cli.terminal import Paint
from gateway.policy.decision import Call, Kind
from gateway.policy.explain import Explanation, explain
from tests.support.policies import caller

RULES = {
    "require": [{"conditions": [{"path": "args.name", "op": "regex", "value": "^a"}]}],
    "deny_if": [{"conditions": [{"path": "args.n", "op": "gt", "value": 5}]}],
    "limits": [
        {"counter": "c", "window": "minute", "max": 1},
        {"counter": "cost", "window": "day", "max": 9, "increment_from": "args.n", "mode": "shadow"},
    ],
}


def explained(**arguments: Any) -> Explanation:
    """The second call of a tool that is limited to one a minute."""
    grant = caller(tools={"t": RULES})
    grant.call("t", name="a", n=1)
    grant.clock.advance(seconds=20)
    call = Call(Kind.TOOL, "t", arguments)
    return explain(grant.engine, call, grant.budget, grant.clock.monotonic_ns(), grant.clock.wall_ns())


def test_the_table_marks_the_step_that_decides():
    """Each line has a step, its rule, its verdict alone and what it looked at."""
    lines = as_table(explained(name="abc", n=2), Paint(io.StringIO())).splitlines()
    assert lines[:3] == [
        "throttle by /tools/t/limits/c",
        "the agent is told: t is limited to 1 call a minute. Try again in 40 s.",
        "",
    ]
    steps = [re.split("  +", line.strip()) for line in lines[3:]]
    assert steps == [
        ["STEP", "RULE", "VERDICT", "LOOKED AT"],
        ["hidden", "(hidden)", "pass"],
        ["entry", "/tools/t", "pass"],
        ["require", "/tools/t/require/args.name-regex", "pass", 'args.name regex "^a": holds, met a string'],
        ["deny_if", "/tools/t/deny_if/args.n-gt", "pass", "args.n gt 5: fails, met a number"],
        ["->", "limits", "/tools/t/limits/c", "throttle", "c: 0 left of 1 a minute per grant; costs 1, passes in 40 s"],
        [
            "limits",
            "/tools/t/limits/cost",
            "pass (shadow, not reached)",
            "cost: 8 left of 9 a day per grant; costs 2, passes now",
        ],
    ]


def test_what_was_never_reached_is_said_to_be_so():
    """And what is in shadow mode; what each limit would do is told all the same."""
    lines = as_table(explained(name=1, n=2), Paint(io.StringIO())).splitlines()
    assert lines[0] == "deny by /tools/t/require/args.name-regex"
    (decisive,) = [line for line in lines if line.startswith("->")]
    assert decisive.split()[1:4] == ["require", "/tools/t/require/args.name-regex", "deny"]
    assert decisive.endswith('args.name regex "^a": mistyped, met a number')
    assert "throttle (not reached)" in lines[-2]
    assert lines[-2].endswith("c: 0 left of 1 a minute per grant; costs 1, passes in 40 s")
    assert "pass (shadow, not reached)" in lines[-1]
    assert lines[-1].endswith("cost: 8 left of 9 a day per grant; costs 2, passes now")


def test_a_call_without_a_cost_never_passes():
    """The limit says so."""
    lines = as_table(explained(name="a"), Paint(io.StringIO())).splitlines()
    assert lines[-1].endswith("cost: 8 left of 9 a day per grant; no cost, never passes")


def test_programs_get_every_step():
    """With the decisive one marked, and no value of an argument."""
    plain = as_plain(explained(name="hidden value", n=2))
    assert plain["decision"]["rule"] == "/tools/t/require/args.name-regex"
    assert [step["rule"] for step in plain["steps"] if step["is_decisive"]] == ["/tools/t/require/args.name-regex"]
    assert plain["steps"][-2]["limit"]["wait_ms"] == 40_000
    assert "hidden value" not in str(plain)


def test_a_step_fits_into_a_line():
    """For whoever wants the decisive one alone."""
    step = explained(name="b", n=2).decisive
    assert step is not None
    assert step_text(step) == (
        'require: /tools/t/require/args.name-regex: deny (args.name regex "^a": fails, met a string)'
    )
