"""Building, starting and stopping the whole."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.app import Gateway, require_compiled_parser
from gateway.clock import ManualClock
from gateway.config import load_config
from gateway.errors import GatewayError, StateError
from tests.support.gateways import ALLOW_ALL, SEED_POLICY, RunningGateway, is_allowed, write_config
from tests.support.sse_agent import SseAgent
from tests.support.upstream import ScriptedUpstream, open_stream
from tests.support.waiting import eventually


async def test_an_address_that_is_taken_is_named(tmp_path: Path):
    """The error says which address cannot be had; what was opened is closed again."""
    blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = blocker.sockets[0].getsockname()[1]
    path = write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": SEED_POLICY})
    path.write_text(path.read_text().replace('"listen": "127.0.0.1:0"', f'"listen": "127.0.0.1:{port}"', 1))
    gateway = Gateway(load_config(path), ManualClock())
    with pytest.raises(GatewayError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
        await gateway.start()
    await gateway.stop()
    blocker.close()
    await blocker.wait_closed()


async def test_it_starts_before_its_server_does(tmp_path: Path):
    """A server that is down does not keep the gateway from starting, and stopping leaves the state for the next."""
    config = load_config(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": ALLOW_ALL}))
    for _ in range(2):
        gateway = Gateway(config, ManualClock())
        await gateway.start()
        assert gateway.url.startswith("http://127.0.0.1:")
        await gateway.stop()
    assert (config.state_dir / "session.key").stat().st_mode & 0o777 == 0o600


def test_aiohttps_python_parser_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Without aiohttp's C parser the gateway says what to do instead of running slow and in the dark."""
    require_compiled_parser()
    parser = "gateway.app.http_parser.HttpRequestParser"
    monkeypatch.setattr(parser, __import__("aiohttp").http_parser.HttpRequestParserPy)
    with pytest.raises(GatewayError, match="GATEWAY_NO_EXTENSIONS=1"):
        require_compiled_parser()


async def test_the_state_directory_is_private(tmp_path: Path):
    """What the gateway keeps is readable by its own user alone; a directory that cannot be made is named."""
    path = write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": SEED_POLICY})
    gateway = Gateway(load_config(path), ManualClock())
    gateway.close_state()
    assert load_config(path).state_dir.stat().st_mode & 0o777 == 0o700
    path.write_text(path.read_text().replace('"state"', '"gateway.json/state"'))
    with pytest.raises(StateError, match="state_dir must be a directory"):
        Gateway(load_config(path), ManualClock())


async def test_streams_are_as_silent_as_the_configuration_says(tmp_path: Path):
    """`keep_alive` holds for the streams of both transports."""
    server = ScriptedUpstream()

    async def silence(server: ScriptedUpstream, request: web.Request, _: Any) -> web.StreamResponse:
        stream = await open_stream(request)
        await server.released.wait()
        return stream

    server.script = silence
    await server.start()
    path = write_config(tmp_path, server.url, {"seed": ALLOW_ALL})
    path.write_text(path.read_text().replace('"state_dir"', '"keep_alive": "20ms", "state_dir"'))
    gateway = RunningGateway(path)
    await gateway.start()
    async with asyncio.timeout(5):
        stream = await gateway.client.get(gateway.url, headers=gateway.headers())
        assert await stream.content.readline() == b": keep-alive\n"
        stream.close()
        async with SseAgent(gateway) as agent:
            assert await agent.event() == (":", "keep-alive")
    server.released.set()
    await gateway.stop()
    await server.stop()


async def test_stopping_waits_for_calls_and_not_for_streams(tmp_path: Path):
    """A call under way gets its answer, a stream that only listens ends at once."""
    upstream = ScriptedUpstream()
    await upstream.start()
    running = RunningGateway(write_config(tmp_path, upstream.url, {"open": ALLOW_ALL}))
    await running.start()

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message is None:
            response = await open_stream(request)
            await server.released.wait()
            return response
        asyncio.get_running_loop().call_later(0.3, server.released.set)
        await server.released.wait()
        return server.default_answer(message)

    upstream.script = script
    stream = await running.client.get(running.url, headers=running.headers("open"))
    call = asyncio.ensure_future(running.call(grant="open"))
    await eventually(lambda: upstream.calls("cancel_task") == 1)
    async with asyncio.timeout(3):
        stopping = asyncio.ensure_future(running.gateway.stop())
        assert await stream.read() == b""
        assert not upstream.released.is_set()
        assert is_allowed(await call)
        await stopping
    await running.client.close()
    await upstream.stop()
