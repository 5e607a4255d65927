"""How the gateway stops: what is under way ends well, what is not is told so, and the next gateway goes on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from tests.support.gateways import (
    ACCEPT,
    ALLOW_ALL,
    RunningGateway,
    decision_of,
    edit_config,
    is_allowed,
    modern,
    tool_call,
    write_config,
)
from tests.support.processes import GatewayProcess
from tests.support.raw import RawAgent, post
from tests.support.sse_agent import INITIALIZE, SseAgent
from tests.support.upstream import ScriptedUpstream, open_stream
from tests.support.waiting import eventually

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'


async def held(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """Answers calls when the test lets it; `get_code` with a stream that has begun before that."""
    if message is None:
        stream = await open_stream(request)
        await server.released.wait()
        return stream
    if message["method"] != "tools/call":
        return server.default_answer(message)
    if message["params"]["name"] == "get_code":
        stream = await open_stream(request)
        await server.released.wait()
        return stream
    await server.released.wait()
    return server.default_answer(message)


@pytest.fixture
async def stoppable(upstream: ScriptedUpstream, tmp_path: Path) -> AsyncIterator[RunningGateway]:
    """A gateway that the test stops, with a tenth of a second for what is under way, before a server that waits."""
    upstream.script = held
    config = write_config(tmp_path, upstream.url, {"open": ALLOW_ALL})
    edit_config(config, lambda document: document.update(bounds={"drain": "100ms"}))
    gateway = RunningGateway(config)
    await gateway.start()
    yield gateway
    await gateway.client.close()


@pytest.mark.parametrize("tool", ["cancel_task", "get_code"], ids=["nothing said", "a stream begun"])
@pytest.mark.parametrize("is_modern", [False, True], ids=["legacy", "modern"])
async def test_a_call_that_is_cut_off_gets_an_answer(
    stoppable: RunningGateway, upstream: ScriptedUpstream, tool: str, is_modern: bool
):
    """A tool result that says that the gateway stops, recorded as failed; it may have run, so nothing is given back."""
    message, headers = modern(tool_call(tool)) if is_modern else (tool_call(tool), {})
    request = stoppable.client.post(stoppable.url, json=message, headers=stoppable.headers("open", **headers))
    call = asyncio.ensure_future(_whole(request))
    await eventually(lambda: upstream.calls(tool) == 1)
    async with asyncio.timeout(5):
        await stoppable.gateway.stop()
        status, body = await call
    answer = orjson.loads(body.partition(b"data: ")[2] or body)
    assert (status, answer["id"], answer["result"]["isError"]) == (200, 1, True)
    assert "stopping" in answer["result"]["content"][0]["text"]
    assert decision_of(answer)["rule"] == "(gateway stopping)"
    outcome = stoppable.records()[-1]
    assert (outcome["outcome"], outcome["rule"], "rolled_back" in outcome) == ("failed", "(gateway stopping)", False)


async def test_another_request_that_is_cut_off_gets_an_error(stoppable: RunningGateway, upstream: ScriptedUpstream):
    """-32603 with its id."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return server.default_answer(message)

    upstream.script = script
    listing = asyncio.ensure_future(stoppable.post({"jsonrpc": "2.0", "id": 9, "method": "tools/list"}, "open"))
    await eventually(lambda: upstream.received)
    await stoppable.gateway.stop()
    status, answer = await listing
    assert (status, answer["id"], answer["error"]["code"]) == (200, 9, -32603)


async def test_a_call_in_a_conversation_that_is_cut_off_gets_an_answer(
    stoppable: RunningGateway, upstream: ScriptedUpstream
):
    """Over HTTP+SSE as well: the answer comes on the stream, and then the stream ends."""
    async with SseAgent(stoppable, "open") as agent:
        await agent.ask(INITIALIZE)
        asked = asyncio.ensure_future(agent.ask(tool_call("cancel_task", id=5)))
        await eventually(lambda: upstream.calls("cancel_task") == 1)
        await stoppable.gateway.stop()
        answer = await asked
    assert (answer["id"], decision_of(answer)["rule"]) == (5, "(gateway stopping)")


async def test_streams_that_only_listen_end_well(stoppable: RunningGateway):
    """The body is complete, so that agents see an end and no broken connection."""
    stream = await stoppable.client.get(stoppable.url, headers=stoppable.headers("open"))
    async with asyncio.timeout(5):
        stopping = asyncio.ensure_future(stoppable.gateway.stop())
        assert await stream.read() == b""
        await stopping


async def test_idle_connections_are_closed_and_busy_ones_end_with_their_answer(
    stoppable: RunningGateway, upstream: ScriptedUpstream
):
    """The idle are closed at once; answers say `Connection: close`; a request that had begun is told to come again."""
    await stoppable.reload(lambda document: document.update(bounds={"drain": "10s"}))
    async with RawAgent(stoppable) as busy, RawAgent(stoppable) as idle, RawAgent(stoppable) as begun:
        idle.send(post(body=PING, Authorization="Bearer token-open"))
        assert not (await idle.answer()).is_closed
        whole = post(body=PING, Authorization="Bearer token-open")
        begun.send(whole)
        await begun.answer()
        begun.send(whole[:30])
        busy.send(post(body=orjson.dumps(tool_call("cancel_task")), Authorization="Bearer token-open"))
        await eventually(lambda: upstream.calls("cancel_task") == 1)
        stopping = asyncio.ensure_future(stoppable.gateway.stop())
        assert await idle.rest() == b""
        assert stoppable.connections() == 2
        begun.send(whole[30:])
        refused = await begun.answer()
        assert (refused.status, refused.headers["retry-after"], refused.is_closed) == (503, "1", True)
        async with stoppable.client.get(f"{stoppable.admin_url}/readyz") as ready:
            assert (ready.status, (await ready.json())["checks"]["accepting"]) == (503, "failing")
        with pytest.raises(ConnectionRefusedError):
            await RawAgent(stoppable).__aenter__()
        upstream.released.set()
        answered = await busy.answer()
        assert answered.is_closed
        assert is_allowed(answered.message)
        await stopping


async def test_a_rolling_restart_loses_no_call(upstream: ScriptedUpstream, tmp_path: Path):
    """Under load each of three gateways takes over from the one before it on the same port and state directory: every
    call that reached the server was answered, and every agent carries on.
    """
    config = write_config(tmp_path, upstream.url, {"open": ALLOW_ALL})
    upstream.script = slow
    over = asyncio.Event()
    async with contextlib.AsyncExitStack() as processes:
        running = await processes.enter_async_context(GatewayProcess(config))
        edit_config(config, lambda document: document.update(listen=running.url.split("/")[2]))
        agents = [asyncio.ensure_future(_call_on(running.url, number, over)) for number in range(4)]
        for _ in range(2):
            await _more(upstream)
            following = GatewayProcess(config, "--wait-for-lock", "30s")
            starting = asyncio.ensure_future(processes.enter_async_context(following))
            await asyncio.sleep(0)
            assert await running.stop() == 0
            assert "Traceback" not in running.output
            await starting
            running = following
        await _more(upstream)
        over.set()
        answered = sum(await asyncio.gather(*agents))
        assert await running.stop() == 0
    assert answered == len(upstream.received)


async def _more(upstream: ScriptedUpstream) -> None:
    """Wait until the server has had some more calls."""
    before = len(upstream.received)
    await eventually(lambda: len(upstream.received) > before + 20)


async def slow(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """Takes its time, so that some call is always under way."""
    await asyncio.sleep(0.02)
    return server.default_answer(message)


async def _call_on(url: str, number: int, over: asyncio.Event) -> int:
    """Call until it is over, and again where there was no answer to a call; how many were answered by the server."""
    answered = 0
    async with aiohttp.ClientSession(headers={"Authorization": "Bearer token-open", "Accept": ACCEPT}) as client:
        while not over.is_set():
            try:
                async with client.post(url, json=tool_call("get_code", id=number)) as response:
                    if response.status == 200:
                        assert is_allowed(await response.json())
                        answered += 1
                        continue
                    assert response.status == 503
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.02)
    return answered


async def _whole(request: Any) -> tuple[int, bytes]:
    async with request as response:
        return response.status, (await response.read()).strip()
