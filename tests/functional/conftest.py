"""Fixtures of the functional tests: a scripted server, and the real gateway before it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateways import ALLOW_ALL, SEED_POLICY, Forwarding, RunningGateway, write_config
from tests.support.upstream import ScriptedUpstream

StartGateway = Callable[..., Awaitable[RunningGateway]]


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    """A scripted MCP server on loopback."""
    server = ScriptedUpstream()
    await server.start()
    yield server
    server.released.set()
    await server.stop()


@pytest.fixture
async def start_gateway(upstream: ScriptedUpstream, tmp_path: Path) -> AsyncIterator[StartGateway]:
    """Starts gateways before the scripted server; all are stopped at the end."""
    started: list[RunningGateway] = []

    async def start(policies: dict[str, Any], **server: Any) -> RunningGateway:
        running = RunningGateway(write_config(tmp_path, upstream.url, policies, **server))
        await running.start()
        started.append(running)
        return running

    yield start
    for running in started:
        await running.stop()


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> RunningGateway:
    """The gateway with the seed's policy on the grants `seed` and `other`, and everything allowed on `open`."""
    return await start_gateway({"seed": SEED_POLICY, "other": SEED_POLICY, "open": ALLOW_ALL, "bare": None})


@pytest.fixture(scope="module")
def forwarding(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forwarding]:
    """A gateway and a server on a loop of their own, kept for a whole module."""
    with asyncio.Runner() as runner:
        server = ScriptedUpstream()
        runner.run(server.start())
        running = RunningGateway(write_config(tmp_path_factory.mktemp("forwarding"), server.url, {"open": ALLOW_ALL}))
        runner.run(running.start())
        yield Forwarding(runner, running, server)
        runner.run(running.stop())
        runner.run(server.stop())
