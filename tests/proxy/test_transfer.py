"""What a stream gets besides the server's events. The rest of the transfer is shown in tests/functional."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from gateway.proxy.transfer import MAX_GATHERED_BYTES
from tests.support.gateways import RunningGateway, tool_call
from tests.support.upstream import ScriptedUpstream, open_stream


async def test_a_silent_stream_is_kept_alive_between_events(
    gateway: RunningGateway, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
):
    """Comments come while the server is silent, never inside an event that has come in half."""
    monkeypatch.setattr(gateway.gateway.relay("binassist"), "_keep_alive_s", 0.02)

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await response.write(b'data: {"jsonrpc":"2.0","method":"notifications/message",')
        await asyncio.sleep(0.1)
        await response.write(b'"params":{}}\n\n')
        return response

    upstream.script = script
    async with gateway.client.post(gateway.url, json=tool_call("cancel_task"), headers=gateway.headers()) as response:
        text = await response.text()
    *comments, event, rest = text.split("\n\n")
    assert len(comments) >= 2
    assert set(comments) == {": keep-alive"}
    assert (event, rest) == ('data: {"jsonrpc":"2.0","method":"notifications/message","params":{}}', "")
    assert len(asyncio.all_tasks()) < 20


async def test_a_cut_body_never_looks_whole(gateway: RunningGateway, upstream: ScriptedUpstream):
    """When a long JSON answer breaks off in the middle, so does the agent's connection."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        await response.write(b'{"jsonrpc":"2.0","id":1,"result":{"text":"' + b"x" * MAX_GATHERED_BYTES)
        await asyncio.sleep(0.05)
        assert request.transport is not None
        request.transport.abort()
        return response

    upstream.script = script
    with pytest.raises(Exception, match=r"(?i)payload|disconnect|reset|closed"):
        await gateway.call()
    assert gateway.records()[-1]["outcome"] == "failed"
    assert gateway.records()[-1]["rule"] == "(upstream broken)"
