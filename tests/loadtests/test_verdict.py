"""What is held against a gateway, and what is not."""

from typing import Any

import msgspec
import pytest

from loadtests.scenarios import APPROVED, DISTURBED, FORBIDDEN, SCENARIOS, STEADY, STREAMED, WRITE, Scenario
from loadtests.verdict import LATE_NS, SECOND_NS, Account, Timing, Verdict, judge, table

CALM = Timing(STEADY, 1000, 0, 2, 20)
BESIDE = Timing(DISTURBED, 1000, 0, 2, 24)


def scenario(tool: str, entry: dict[str, Any], **more: Any) -> Scenario:
    """One grant, one limited tool."""
    policy = {"version": "1", "default": "deny", "tools": {tool: entry}}
    return Scenario("s", users=1, grants=1, seconds=1, policy=policy, p99_ms={}, **more)


def limit(window: str = "day", most: int = 3, **more: Any) -> dict[str, Any]:
    return {"limits": [{"counter": "c", "window": window, "max": most, "scope": "grant", **more}]}


def verdict(of: Scenario, times: dict[tuple[str, str], list[int]], *, latency: bool = False, **told: Any) -> Verdict:
    """Judge arrivals at these nanoseconds; a hundred calls of each tool were answered unless `told` says otherwise."""
    answered = {tool: {grant: 100} for tool, grant in times}
    account = Account(**({"answered": answered, "approved": {}, "faults": {}, "timings": []} | told))
    in_flight = {key: len(at) for key, at in times.items()}
    return judge(of, times, in_flight, account, latency=latency)


def test_a_limit_that_was_kept_holds():
    """As many as the limit allows, and others refused."""
    assert verdict(scenario(WRITE, limit()), {(WRITE, "agent-000"): [1, 2, 3]}).breaches == []


def test_one_call_too_many_is_a_breach():
    """Over-admission is not a matter of degree."""
    judged = verdict(scenario(WRITE, limit()), {(WRITE, "agent-000"): [1, 2, 3, 4]})
    assert judged.rows[0].over == 1
    assert judged.breaches == ["rename_symbol: 1 calls more than promised arrived"]
    assert "BREACHED" in table(judged)


def test_each_grant_has_its_own_budget():
    """Unless the limit's scope is the server."""
    times = {(WRITE, "agent-000"): [1, 2], (WRITE, "agent-001"): [3, 4]}
    assert verdict(scenario(WRITE, limit()), times).breaches == []
    assert verdict(scenario(WRITE, limit(scope="server")), times).rows[0].over == 1


def test_a_window_that_has_passed_frees_its_calls():
    """Only what lies in one window counts, and arrivals may lie a second closer than decisions."""
    later = 5 * SECOND_NS
    times = [1, 2, 3, *(later + at - LATE_NS for at in (1, 2, 3))]
    assert verdict(scenario(WRITE, limit("5s")), {(WRITE, "agent-000"): times}).breaches == []
    early = [1, 2, 3, *(later + at - 2 * LATE_NS for at in (1, 2, 3))]
    assert verdict(scenario(WRITE, limit("5s")), {(WRITE, "agent-000"): early}).rows[0].over == 3


def test_too_few_are_reported_and_no_breach():
    """Under-admission may be the network's doing."""
    judged = verdict(scenario(WRITE, limit()), {(WRITE, "agent-000"): [1]})
    assert (judged.rows[0].under, judged.breaches) == (2, [])


def test_what_no_policy_lists_must_not_arrive():
    """A tool without an entry is denied."""
    judged = verdict(scenario(WRITE, limit()), {(WRITE, "agent-000"): [1], (FORBIDDEN, "agent-000"): [1]})
    assert judged.breaches == ["load_binary: 1 calls more than promised arrived"]


def test_a_call_runs_once_for_each_approval():
    """Of the same grant."""
    entry = {"action": "require_approval"}
    times = {(APPROVED, "agent-000"): [1, 2]}
    assert verdict(scenario(APPROVED, entry), times, approved={"agent-000": 2}).breaches == []
    assert verdict(scenario(APPROVED, entry), times, approved={"agent-000": 1, "agent-001": 1}).rows[0].over == 1


def test_more_at_a_time_than_agreed_is_a_breach():
    """The server's own count of calls in flight."""
    judged = verdict(scenario(STREAMED, {"concurrency": 1}), {(STREAMED, "agent-000"): [1, 2]})
    assert judged.rows[0].over == 1


def test_a_limit_that_nobody_met_shows_nothing():
    """A run in which all calls fitted cannot have found a gateway that lets too many through."""
    times = {(WRITE, "agent-000"): [1, 2]}
    judged = verdict(scenario(WRITE, limit()), times, answered={WRITE: {"agent-000": 2}})
    assert judged.breaches == ["rename_symbol: no call was refused, so nothing is shown; call more often"]


def test_what_agents_complain_of_is_a_breach():
    """Their faults, and requests that failed."""
    timings = [Timing("call", 10, 1, 1, 1)]
    times = {(WRITE, "agent-000"): [1]}
    judged = verdict(scenario(WRITE, limit()), times, faults={"it broke": 2}, timings=timings)
    assert judged.breaches == ["2 x it broke", "1 of 'call' failed"]


@pytest.mark.parametrize(
    ("timings", "breach"),
    [
        ([CALM, BESIDE], None),
        ([msgspec.structs.replace(CALM, p99_ms=26), BESIDE], f"p99 of '{STEADY}' is 26 ms, above 25 ms"),
        ([CALM, msgspec.structs.replace(BESIDE, p99_ms=25)], "beside the runaway the others' p99 is 25 ms"),
        ([CALM], "the runaway cannot be judged"),
        ([BESIDE], f"nothing was named '{STEADY}'"),
    ],
)
def test_thresholds_are_judged_where_asked(timings, breach):
    """Added latency, and what a runaway does to others; on a busy machine they are shown only."""
    fan_out = SCENARIOS["fan-out"]
    times = {(WRITE, "agent-000"): [1]}
    assert verdict(fan_out, times, timings=timings).breaches == []
    found = verdict(fan_out, times, timings=timings, latency=True).breaches
    assert found == [] if breach is None else any(each.startswith(breach) for each in found)
