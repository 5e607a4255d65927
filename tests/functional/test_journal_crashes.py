"""The journal of a gateway that is killed, or whose disk is full: whatever the server received is recorded.

Twenty kills here; `make kills` has more.
"""

import asyncio
import contextlib
import itertools
import os
import random
import resource
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.audit import reader
from gateway.audit.chain import Seal
from gateway.audit.segment import KEY_NAME, OPEN_NAME
from gateway.audit.verify import verify
from gateway.mcp.canonical import canonical_json
from gateway.store.keys import read_key
from tests.support.gateways import ACCEPT, edit_config, is_allowed, tool_call, write_config
from tests.support.processes import GatewayProcess
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import eventually

KILLS = int(os.environ.get("KILLS", "20"))
AGENTS = 6
MOST = 150
POLICY: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {
        "get_code": {},
        "cancel_task": {"limits": [{"counter": "cancels", "window": "day", "max": MOST, "scope": "grant"}]},
    },
}
HEADERS = {"Authorization": "Bearer token-seed", "Accept": ACCEPT}


class Load:
    """Agents that call without a pause, each call with arguments of its own, until told to stop."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.answers: list[Any] = []

    @contextlib.asynccontextmanager
    async def on(self, url: str) -> AsyncIterator[None]:
        """Call the gateway there."""
        async with aiohttp.ClientSession(headers=HEADERS) as client, asyncio.TaskGroup() as group:
            agents = [group.create_task(self._agent(client, url)) for _ in range(AGENTS)]
            yield
            for agent in agents:
                agent.cancel()

    async def _agent(self, client: aiohttp.ClientSession, url: str) -> None:
        for number in self.numbers:
            tool = "cancel_task" if number % 3 == 0 else "get_code"
            try:
                async with client.post(url, json=tool_call(tool, {"number": number}, id=number)) as response:
                    self.answers.append(await response.json())
            except aiohttp.ClientError:
                return


class Aftermath:
    """What can be said about a state directory, and what the server has seen."""

    def __init__(self, config: Path, upstream: ScriptedUpstream) -> None:
        self.state = config.parent / "state"
        self._upstream = upstream

    @property
    def seal(self) -> Seal:
        return Seal(read_key(self.state / KEY_NAME))

    def unrecorded(self) -> list[Any]:
        """The calls that the server received without a record that allows just them."""
        allowed = {record["arguments_hash"] for record in self._allowed()}
        received = [message["params"]["arguments"] for message in self._received()]
        seal = self.seal
        return [args for args in received if seal.fingerprint(canonical_json(args).encode()) not in allowed]

    def granted(self) -> tuple[int, int]:
        """How many calls of the limited tool were allowed, and how many the server received."""
        allowed = sum(record["target"] == "cancel_task" for record in self._allowed())
        return allowed, sum(message["params"]["name"] == "cancel_task" for message in self._received())

    def notes(self) -> tuple[str, ...]:
        """What `verify` has to say about a journal that must be intact."""
        report = verify(self.state / "audit", self.seal)
        assert report.flaw is None, report.flaw
        return report.notes

    def _allowed(self) -> Iterator[dict[str, Any]]:
        records = reader.records(self.state / "audit")
        return (record for record in records if record["type"] == "decision" and record["verdict"] == "allow")

    def _received(self) -> list[Any]:
        return [received.message for received in self._upstream.received if received.body]


@pytest.mark.timeout(60 + 30 * KILLS)
async def test_what_a_killed_gateway_has_forwarded_is_recorded(upstream: ScriptedUpstream, tmp_path: Path):
    """SIGKILL at random moments under load: every call that arrived was recorded, no budget was granted twice."""
    config = write_config(tmp_path, upstream.url, {"seed": POLICY})
    chance, load, aftermath = random.Random(1), Load(), Aftermath(config, upstream)
    for _ in range(KILLS):
        enough = partial(_has_received, upstream, len(upstream.received) + chance.randrange(1, 120))
        async with GatewayProcess(config) as process, load.on(process.url):
            await eventually(enough, seconds=60)
            await process.kill()
        assert all("torn" in note for note in aftermath.notes())
        assert aftermath.unrecorded() == []
    async with GatewayProcess(config) as process:
        assert await process.stop() == 0
    assert all("torn" in note or "cut short" in note for note in aftermath.notes())
    allowed, received = aftermath.granted()
    assert received <= allowed <= MOST
    starts = [record for record in reader.records(aftermath.state / "audit") if record["type"] == "start"]
    assert len(starts) == KILLS + 1


async def test_a_full_disk_under_load_lets_nothing_through_unrecorded(upstream: ScriptedUpstream, tmp_path: Path):
    """While there is no room calls are refused and the gateway is not ready; with room again it goes on by itself."""
    config = write_config(tmp_path, upstream.url, {"seed": POLICY})
    load, aftermath = Load(), Aftermath(config, upstream)
    async with GatewayProcess(config) as process, aiohttp.ClientSession(process.admin_url) as admin:
        async with load.on(process.url):
            await eventually(lambda: len(upstream.received) > 50)
            size = (aftermath.state / "audit" / OPEN_NAME).stat().st_size
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            # In the middle of a line, so that the disk takes part of it.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size + 150, hard))
            await eventually(lambda: _refused(load.answers[-20:]) == 20)
            arrived = len(upstream.received)
            assert (await admin.get("/readyz")).status == 503
            before = len(load.answers)
            await eventually(lambda: len(load.answers) > before + 100)
            assert len(upstream.received) == arrived
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
            await eventually(lambda: len(upstream.received) > arrived + 50)
            assert (await admin.get("/readyz")).status == 200
        assert await process.stop() == 0
    assert aftermath.unrecorded() == []
    assert any("could not be written" in note for note in aftermath.notes())


async def test_an_idle_gateway_gets_ready_again_by_itself(upstream: ScriptedUpstream, tmp_path: Path):
    """Without a call after the disk has room again: the journal is tried every second."""
    config = write_config(tmp_path, upstream.url, {"seed": POLICY})
    async with (
        GatewayProcess(config) as process,
        aiohttp.ClientSession(process.admin_url) as admin,
        aiohttp.ClientSession(headers=HEADERS) as agent,
    ):
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))
        async with agent.post(process.url, json=tool_call("get_code")) as response:
            assert not is_allowed(await response.json())
        assert (await admin.get("/readyz")).status == 503
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        await process.says("can be written again")
        assert (await admin.get("/readyz")).status == 200
        assert await process.stop() == 0


async def test_with_continue_a_full_disk_stops_nothing(upstream: ScriptedUpstream, tmp_path: Path):
    """The call runs, the gap is counted and recorded, and the gateway says that it is not ready."""
    config = write_config(tmp_path, upstream.url, {"seed": POLICY})
    edit_config(config, lambda document: document.update(audit={"on_failure": "continue"}))
    async with GatewayProcess(config) as process, aiohttp.ClientSession(headers=HEADERS) as agent:
        _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, hard))
        async with agent.post(process.url, json=tool_call("get_code")) as response:
            assert is_allowed(await response.json())
        assert "mcp_gateway_audit_failures_total 0.0" not in await process.metrics()
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        assert await process.stop() == 0
    assert any("could not be written" in note for note in Aftermath(config, upstream).notes())


async def test_a_journal_taken_away_under_a_running_gateway_is_noticed(upstream: ScriptedUpstream, tmp_path: Path):
    """Within seconds there is a new segment, which says what happened, and calls go on."""
    config = write_config(tmp_path, upstream.url, {"seed": POLICY})
    path = config.parent / "state" / "audit" / OPEN_NAME
    async with GatewayProcess(config) as process, aiohttp.ClientSession(headers=HEADERS) as agent:
        path.unlink()
        await eventually(path.exists)
        async with agent.post(process.url, json=tool_call("get_code")) as response:
            assert is_allowed(await response.json())
        assert await process.stop() == 0
        assert "the open segment was removed or renamed" in process.output
    assert [record["type"] for record in reader.records(path.parent)] == [
        "checkpoint", "displaced", "decision", "outcome", "stop",
    ]  # fmt: skip
    assert verify(path.parent, Aftermath(config, upstream).seal).flaw.seq == 1


def _has_received(upstream: ScriptedUpstream, count: int) -> bool:
    return len(upstream.received) >= count


def _refused(answers: list[Any]) -> int:
    """How many of these answers say that there is no journal to record the call in."""
    return sum("(audit unavailable)" in str(answer) for answer in answers)
