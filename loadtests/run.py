"""Runs the scenarios: `make load`. A fast server and a gateway before it, locust as the agents, and a verdict for each.

The server is in this process, which has nothing else to do; gateway and locust have processes of their own.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import orjson
import uvloop

from gateway.tokens import new_token, token_digest
from loadtests.scenarios import SCENARIOS, Scenario
from loadtests.upstream import LoadUpstream
from loadtests.verdict import Account, Verdict, judge, table
from tests.support.processes import GatewayProcess

ROOT: Final = Path(__file__).parents[1]
PROGRESS_S: Final = 2.0
# Agents end the call they are in; then locust writes its reports.
_STOP_S: Final = 10
_REPORTS_S: Final = 60
# From the start of Python to the first request.
_START_S: Final = 60

NewUpstream = Callable[[Scenario], LoadUpstream]


class LoadError(Exception):
    """A scenario that could not be run; the message names where to look."""


def fast_upstream(scenario: Scenario) -> LoadUpstream:
    """The server for a scenario."""
    return LoadUpstream(answers_as_sse=scenario.answers_as_sse)


def write_config(folder: Path, url: str, scenario: Scenario, tokens: dict[str, str], admin_token: str) -> Path:
    """A configuration with the grants of the scenario, all under its policy."""
    admin = {"label": "person", "token_sha256": token_digest(admin_token).hex()}
    document = {
        "listen": "127.0.0.1:0",
        "admin": {"listen": "127.0.0.1:0", "tokens": [admin]},
        "servers": {"load": {"url": url}},
        "policies": {"load": scenario.policy},
        "grants": [
            {"label": label, "server": "load", "policy": "load", "token_sha256": token_digest(token).hex()}
            for label, token in tokens.items()
        ],
    }
    path = folder / "gateway.json"
    path.write_bytes(orjson.dumps(document))
    path.chmod(0o600)
    return path


async def run_scenario(scenario: Scenario, out: Path, new_upstream: NewUpstream, *, latency: bool) -> Verdict:
    """Run one scenario and judge it. Reports go to `out`, a directory. Raises `LoadError` where it did not run."""
    upstream = new_upstream(scenario)
    await upstream.start()
    try:
        with tempfile.TemporaryDirectory(prefix="load-") as name:
            folder = Path(name)
            tokens, admin_token = {label: new_token() for label in scenario.labels}, new_token()
            config = write_config(folder, upstream.url, scenario, tokens, admin_token)
            grants, account = folder / "grants.json", folder / "account.json"
            grants.write_bytes(orjson.dumps(tokens))
            async with GatewayProcess(config) as gateway:
                options = ["--host", gateway.url.removesuffix("/mcp"), "--grants", str(grants)]
                options += ["--account", str(account), "--admin-url", gateway.admin_url, "--admin-token", admin_token]
                await _locust(scenario, out, options, upstream)
                if await gateway.stop() != 0 or "Traceback" in gateway.output:
                    raise LoadError(f"{scenario.name}: the gateway did not end well:\n{gateway.output[-2000:]}")
            if not account.exists():
                raise LoadError(f"{scenario.name}: the agents left no account; see {out / 'locust.log'}")
            told = msgspec.json.decode(account.read_bytes(), type=Account)
    finally:
        await upstream.stop()
    return judge(scenario, upstream.arrivals.times_ns, upstream.arrivals.most_in_flight, told, latency=latency)


async def _locust(scenario: Scenario, out: Path, options: Sequence[str], upstream: LoadUpstream) -> None:
    """Run locust to its end, with a line of progress now and then."""
    shape = ["--users", str(scenario.users), "--spawn-rate", str(scenario.users), "--run-time", f"{scenario.seconds}s"]
    reports = ["--html", str(out / "report.html"), "--csv", str(out / "locust")]
    # Failures are in the account; an exit code for them would say less.
    rest = ["--headless", "--only-summary", "--stop-timeout", str(_STOP_S), "--exit-code-on-error", "0"]
    with (out / "locust.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "locust", "-f", scenario.file, *shape, *reports, *rest, *options),
            cwd=ROOT,
            # Warnings that a developer asked for are about our code, not about locust's.
            env={name: value for name, value in os.environ.items() if name != "PYTHONWARNINGS"},
            stdout=log,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            async with asyncio.timeout(_START_S + scenario.seconds + _STOP_S + _REPORTS_S):
                await _show_progress(scenario, process, upstream)
        except BaseException:
            process.kill()
            await process.wait()
            raise
    if process.returncode != 0:
        raise LoadError(f"{scenario.name}: locust ended with {process.returncode}; see {out / 'locust.log'}")


async def _show_progress(scenario: Scenario, process: asyncio.subprocess.Process, upstream: LoadUpstream) -> None:
    loop = asyncio.get_running_loop()
    begun, before = loop.time(), 0
    while process.returncode is None:
        try:
            async with asyncio.timeout(PROGRESS_S):
                await process.wait()
        except TimeoutError:
            total = upstream.arrivals.total
            rate = (total - before) / PROGRESS_S
            before = total
            print(
                f"{scenario.name}: {loop.time() - begun:.0f} s, to run {scenario.seconds} s; "
                f"{total} calls at the server, {rate:.0f}/s",
                flush=True,
            )


async def run(
    scenarios: Sequence[Scenario], out: Path, *, latency: bool, new_upstream: NewUpstream = fast_upstream
) -> int:
    """Run them one after the other; 1 when a threshold was breached or one could not be run.

    Each has a directory of its name in `out` already.
    """
    verdicts, lost = list[Verdict](), list[str]()
    for scenario in scenarios:
        try:
            verdicts.append(await run_scenario(scenario, out / scenario.name, new_upstream, latency=latency))
        except (LoadError, RuntimeError, TimeoutError) as error:
            lost.append(f"{scenario.name}: NOT RUN: {str(error) or 'it took too long'}")
    report = "\n\n".join([*map(table, verdicts), *lost])
    (out / "verdict.txt").write_text(report + "\n")
    print(f"\n{report}\n\nReports: {out}/*/report.html, {out}/*/locust_stats.csv")
    if not latency:
        print("Latency was shown and not judged.")
    return 1 if lost or any(verdict.breaches for verdict in verdicts) else 0


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(SCENARIOS)}; all of them")
    parser.add_argument("--smoke", action="store_true", help="three seconds each, few agents, latency not judged")
    parser.add_argument("--exactness-only", action="store_true", help="do not judge latency, on a busy machine")
    parser.add_argument("--out", type=Path, default=Path("build/load"), help="where reports go (%(default)s)")
    args = parser.parse_args()
    if unknown := [name for name in args.scenarios if name not in SCENARIOS]:
        parser.error(f"no scenario {unknown[0]!r}: there are {', '.join(SCENARIOS)}")
    chosen = [SCENARIOS[name] for name in args.scenarios or SCENARIOS]
    chosen = [scenario.smoke() if args.smoke else scenario for scenario in chosen]
    for scenario in chosen:
        (args.out / scenario.name).mkdir(parents=True, exist_ok=True)
    latency = not (args.smoke or args.exactness_only)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run(chosen, args.out, latency=latency))


if __name__ == "__main__":
    sys.exit(main())
