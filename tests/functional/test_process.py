"""The gateway as a process: what survives its death, and how it starts, stops and refuses to start."""

import asyncio
import json
import os
import re
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.support.commands import SCRIPTED
from tests.support.gateways import ACCEPT, ALLOW_ALL, SEED_POLICY, is_allowed, tool_call, write_config
from tests.support.processes import GatewayProcess
from tests.support.sse_agent import INITIALIZE
from tests.support.upstream import ScriptedUpstream, open_stream
from tests.support.waiting import eventually

HEADERS = {"Authorization": "Bearer token-seed", "Accept": ACCEPT}


async def test_what_was_spent_survives_sigkill(upstream: ScriptedUpstream, tmp_path: Path):
    """Killed after seven calls and started again, exactly three more pass."""
    config = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    async with GatewayProcess(config) as first:
        assert await _allowed_of(first.url, 7) == 7
        await first.kill()
    async with GatewayProcess(config) as second:
        assert await _allowed_of(second.url, 8) == 3
        assert upstream.calls("cancel_task") == 10
        assert await second.stop() == 0


async def test_sigterm_ends_it_well(upstream: ScriptedUpstream, tmp_path: Path):
    """SIGTERM gives exit code 0, and a stream that is open does not hold it up."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await server.released.wait()
        return response

    upstream.script = script
    config = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    async with GatewayProcess(config) as process, aiohttp.ClientSession(headers=HEADERS) as client:
        async with client.get(process.url) as listening, asyncio.timeout(5):
            assert (listening.status, listening.content_type) == (200, "text/event-stream")
            assert await process.stop() == 0
        assert "Traceback" not in process.output


async def test_its_servers_end_with_it(tmp_path: Path):
    """A server that it has started is gone when it is, on the loop that production runs on, as is one that died."""
    config = write_config(tmp_path, None, {"seed": ALLOW_ALL}, command=list(SCRIPTED))
    async with GatewayProcess(config) as process, aiohttp.ClientSession(headers=HEADERS) as client:
        pids = []
        for tool in ("count", "count", "die"):
            async with client.post(process.url, json=INITIALIZE) as opened:
                session = {"Mcp-Session-Id": opened.headers["Mcp-Session-Id"]}
                assert b"scripted" in await opened.read()
            async with client.post(process.url, json=tool_call(tool), headers=session) as called:
                pids += re.findall(rb"call 1 in (\d+)", await called.read())
        assert len(set(pids)) == 2
        assert await process.stop() == 0
        assert "Traceback" not in process.output
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)


async def test_a_second_sigterm_ends_it_at_once(upstream: ScriptedUpstream, tmp_path: Path):
    """The first one waits for a call that is under way; the second one does not."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return web.Response(status=202)

    upstream.script = script
    config = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    async with GatewayProcess(config) as process, aiohttp.ClientSession(headers=HEADERS) as client:
        calling = asyncio.ensure_future(client.post(process.url, json=tool_call("cancel_task")))
        await eventually(lambda: upstream.calls("cancel_task") == 1)
        process.terminate()
        await process.says("stopping")
        process.terminate()
        async with asyncio.timeout(2):
            assert await process.ended() == -signal.SIGTERM
        await asyncio.gather(calling, return_exceptions=True)


async def test_a_second_gateway_on_the_same_state_is_refused(upstream: ScriptedUpstream, tmp_path: Path):
    """Two gateways on one state directory would each grant the whole budget, so the second does not start."""
    config = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    second = GatewayProcess(config)
    async with GatewayProcess(config) as first:
        with pytest.raises(RuntimeError, match="another gateway"):
            await second.__aenter__()
        assert await second.ended() == 1
        assert await first.stop() == 0


async def test_who_waits_for_the_state_directory_starts_when_it_is_free(upstream: ScriptedUpstream, tmp_path: Path):
    """It says whom it waits for, and serves as soon as that has ended."""
    config = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    async with GatewayProcess(config) as first:
        second = GatewayProcess(config, "--wait-for-lock", "30s")
        starting = asyncio.ensure_future(second.__aenter__())
        await eventually(lambda: "waiting for up to 30 s" in second.output)
        assert f"in use by another gateway, process {first.pid}" in second.output
        assert not starting.done()
        assert await first.stop() == 0
        await starting
        assert await _allowed_of(second.url, 1) == 1
        assert await second.stop() == 0


async def test_nobody_waits_for_the_state_directory_for_ever(upstream: ScriptedUpstream, tmp_path: Path):
    """When the time is over it fails as it would have at once."""
    config = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    async with GatewayProcess(config) as first:
        second = GatewayProcess(config, "--wait-for-lock", "200ms")
        with pytest.raises(RuntimeError, match="in use by another gateway"):
            await second.__aenter__()
        assert await second.ended() == 1
        assert await first.stop() == 0


async def test_a_mistake_in_the_config_is_named_and_nothing_starts(upstream: ScriptedUpstream, tmp_path: Path):
    """Every mistake is printed with its place, without a traceback, and the exit code is 1."""
    config = write_config(tmp_path, upstream.url, {"seed": {**SEED_POLICY, "defualt": "deny", "version": "2"}})
    process = GatewayProcess(config)
    with pytest.raises(RuntimeError):
        await process.__aenter__()
    assert await process.ended() == 1
    assert "defualt" in process.output
    assert "did you mean `default`" in process.output
    assert "/policies/seed/version" in process.output
    assert "Traceback" not in process.output


async def test_the_second_listener_tells_what_goes_on(upstream: ScriptedUpstream, tmp_path: Path):
    """`/healthz` and `/readyz` answer, and `/metrics` has the decisions, without tokens."""
    async with GatewayProcess(write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})) as process:
        assert await _allowed_of(process.url, 11) == 10
        async with aiohttp.ClientSession(process.admin_url) as client:
            assert (await client.get("/healthz")).status == 200
            ready = await client.get("/readyz")
            assert (ready.status, json.loads(await ready.text())["checks"]) == (
                200,
                {"server binassist": "ok", "audit": "ok", "accepting": "ok"},
            )
            metrics = await (await client.get("/metrics")).text()
            await upstream.stop()
            assert (await client.get("/readyz")).status == 503
            assert (await client.get("/metrics", headers={"Host": "evil.example"})).status == 421
        assert await process.stop() == 0
    decisions = 'mcp_gateway_decisions_total{grant="seed",server="binassist",tool="cancel_task",verdict="%s"} %s'
    assert decisions % ("allow", "10.0") in metrics
    assert decisions % ("throttle", "1.0") in metrics
    assert "mcp_gateway_overhead_seconds_bucket" in metrics
    assert "token-seed" not in metrics


async def _allowed_of(url: str, count: int) -> int:
    """How many of `count` calls pass."""
    allowed = 0
    async with aiohttp.ClientSession(headers=HEADERS) as client:
        for number in range(count):
            async with client.post(url, json=tool_call("cancel_task", id=number)) as response:
                allowed += is_allowed(await response.json())
    return allowed
