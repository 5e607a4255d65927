"""Reloads under load, and whether every call was judged by exactly one policy: `make storm`.

Three policies with three `max` take turns while agents call as fast as they are answered. The journal, in which calls
and reloads stand in the order in which they were decided, is then gone through call by call.
"""

import argparse
import asyncio
import collections
import itertools
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import aiohttp
import msgspec
import orjson

from gateway.audit import reader
from tests.support.gateways import ACCEPT, edit_config, is_allowed, tool_call, write_config
from tests.support.processes import GatewayProcess
from tests.support.upstream import ScriptedUpstream

GRANTS: Final = ("alice", "bob")
MAXIMA: Final = (12, 10, 14)
# One call in so many meets the limit.
LIMITED_EVERY: Final = 4


class Account(msgspec.Struct, frozen=True):
    """What happened."""

    reloads: int
    calls: int
    seconds: float
    faults: list[str]
    """What must not happen, in sentences."""

    def __str__(self) -> str:
        rate = self.calls / self.seconds
        summary = f"{self.reloads} reloads under {self.calls} calls ({rate:.0f}/s) in {self.seconds:.1f} s"
        return "\n".join([f"{summary}: {len(self.faults)} faults", *self.faults[:20]])


def policy(maximum: int) -> dict[str, Any]:
    """A policy that limits one tool and leaves another free."""
    limit = {"counter": "cancels", "window": "day", "max": maximum, "scope": "grant"}
    return {"version": "1", "default": "deny", "tools": {"list_tasks": {}, "cancel_task": {"limits": [limit]}}}


async def storm(directory: Path, *, reloads: int, agents: int) -> Account:
    """Reload so often while so many agents call."""
    upstream = ScriptedUpstream()
    await upstream.start()
    config = write_config(directory, upstream.url, {name: policy(MAXIMA[0]) for name in GRANTS})
    faults: list[str] = []
    begun = perf_counter()
    try:
        async with GatewayProcess(config) as process, aiohttp.ClientSession() as client:
            over = asyncio.Event()
            calling = [asyncio.ensure_future(_call(client, process.url, number, over)) for number in range(agents)]
            output = await _reload(process, config, reloads)
            over.set()
            answers = [answer for answered in await asyncio.gather(*calling) for answer in answered]
            if await process.stop() != 0 or "Traceback" in output + process.output:
                faults.append(f"the gateway did not end well: {(output + process.output)[-2000:]}")
        seconds = perf_counter() - begun
        records = list(reader.records(directory / "state" / "audit"))
        faults += _lost(answers, records, upstream)
        faults += judged(records)
    finally:
        await upstream.stop()
    return Account(reloads, len(answers), seconds, faults)


async def _call(client: aiohttp.ClientSession, url: str, number: int, over: asyncio.Event) -> list[Any]:
    """One agent: the answers to its calls."""
    headers = {"Authorization": f"Bearer token-{GRANTS[number % len(GRANTS)]}", "Accept": ACCEPT}
    answers: list[Any] = []
    for id in itertools.count():
        if over.is_set():
            return answers
        tool = "list_tasks" if id % LIMITED_EVERY else "cancel_task"
        async with client.post(url, json=tool_call(tool, id=id), headers=headers) as response:
            answer = orjson.loads(await response.read())
        answers.append(answer if answer.get("id") == id else {"wrong": answer})
    raise AssertionError("there is always another id")


async def _reload(process: GatewayProcess, config: Path, reloads: int) -> str:
    """Put the policies in force in turn, each once the one before it is; what the process said meanwhile."""
    said = []
    for maximum in itertools.islice(itertools.cycle(MAXIMA[1:] + MAXIMA[:1]), reloads):
        turn = {name: policy(maximum) for name in GRANTS}
        edit_config(config, partial(_set_policies, turn))
        said.append(process.output)
        process.output = ""
        os.kill(process.pid, signal.SIGHUP)
        await process.says("configuration reloaded")
    return "".join(said)


def _set_policies(policies: dict[str, Any], document: dict[str, Any]) -> None:
    document["policies"] = policies


def _lost(answers: list[Any], records: list[Any], upstream: ScriptedUpstream) -> Iterator[str]:
    """Calls without an answer, without a record, or that never arrived."""
    passed = sum(map(is_allowed, answers))
    kinds = collections.Counter(record["type"] for record in records)
    arrived = upstream.calls("list_tasks") + upstream.calls("cancel_task")
    if any("wrong" in answer for answer in answers):
        yield "an answer is not to its call"
    if kinds["decision"] != len(answers):
        yield f"{len(answers)} calls were answered, {kinds['decision']} decided"
    if not passed == arrived == kinds["outcome"]:
        yield f"{passed} calls passed, {arrived} arrived at the server, {kinds['outcome']} have an outcome"
    if kinds["refusal"]:
        yield f"{kinds['refusal']} calls were refused before a decision"


def judged(records: list[Any]) -> Iterator[str]:
    """Goes through decisions and reloads in their order, and yields what no gateway may do.

    A decision has the revision of the last reload before it; a limited call passes if and only if its grant has not
    made `max` calls yet, with the `max` of that revision.
    """
    in_force: dict[str, str] = {}
    maxima = dict[str, int]()
    made = collections.Counter[str]()
    reloads = 0
    for record in records:
        if record["type"] == "reload":
            reloads += 1
            in_force = record["policies"]
        elif record["type"] == "decision" and not in_force:
            in_force = dict.fromkeys(GRANTS, record["revision"])
        for revision in in_force.values():
            maxima.setdefault(revision, MAXIMA[reloads % len(MAXIMA)])
        if record["type"] != "decision":
            continue
        grant, revision, passes = record["grant"], record["revision"], record["verdict"] == "allow"
        if revision != in_force[grant]:
            yield f"{record['id']} was judged by {revision} while {in_force[grant]} was in force"
        elif record["target"] == "cancel_task":
            if passes is not (made[grant] < maxima[revision]):
                yield f"{record['id']}: {record['verdict']} after {made[grant]} of {maxima[revision]} calls"
            made[grant] += passes
        elif not passes:
            yield f"{record['id']}: {record['verdict']} by {record['rule']}, though nothing limits it"


def main() -> int:
    """Storm as asked for; 1 where something went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reloads", type=int, nargs="?", default=1000)
    parser.add_argument("--agents", type=int, default=32)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        account = asyncio.run(storm(Path(directory), reloads=args.reloads, agents=args.agents))
    print(account)
    return 1 if account.faults else 0


if __name__ == "__main__":
    sys.exit(main())
