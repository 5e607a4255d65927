"""Short runs of the real thing: locust, gateway and server."""

import re
from pathlib import Path

import msgspec

from loadtests.run import run
from loadtests.scenarios import SCENARIOS, WRITE, Scenario
from loadtests.upstream import Arrivals, LoadUpstream

SMOKE = SCENARIOS["agents"].smoke()


class CountsTwice(Arrivals):
    """Says of writes that they arrived twice, as they would behind a gateway that lets twice as many through."""

    def begin(self, tool: str, grant: str) -> None:
        super().begin(tool, grant)
        if tool == WRITE:
            super().begin(tool, grant)


def too_many(_: Scenario) -> LoadUpstream:
    upstream = LoadUpstream()
    upstream.arrivals = CountsTwice(upstream.arrivals.clock)
    return upstream


async def test_a_run_holds_and_leaves_its_reports(tmp_path: Path):
    """Calls arrive, limits are met and kept, and there is something to read."""
    (tmp_path / "agents").mkdir()
    assert await run([SMOKE], tmp_path, latency=False) == 0
    assert (tmp_path / "verdict.txt").read_text().startswith("agents: held")
    assert (tmp_path / "agents" / "report.html").stat().st_size > 0
    assert (tmp_path / "agents" / "locust_stats.csv").stat().st_size > 0


async def test_more_calls_than_allowed_are_a_breach(tmp_path: Path, capsys):
    """A server that counts more than the limit allows turns the run red, for that tool alone."""
    (tmp_path / "agents").mkdir()
    assert await run([SMOKE], tmp_path, latency=False, new_upstream=too_many) == 1
    breaches = re.findall("BREACH: (.*)", capsys.readouterr().out)
    assert len(breaches) == 1
    assert re.fullmatch(rf"{WRITE}: [1-9]\d* calls more than promised arrived", breaches[0])


async def test_a_scenario_that_cannot_run_is_no_success(tmp_path: Path, capsys):
    """Agents that do not start have shown nothing; the place to look is named."""
    (tmp_path / "nobody").mkdir()
    assert await run([msgspec.structs.replace(SMOKE, name="nobody")], tmp_path, latency=False) == 1
    assert f"see {tmp_path / 'nobody' / 'locust.log'}" in capsys.readouterr().out
