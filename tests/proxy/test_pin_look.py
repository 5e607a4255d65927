"""The gateway compares a server's tools with their pins before anybody asks."""

from typing import Any

import pytest
from aiohttp import web

from gateway.catalog.fingerprint import fingerprint
from gateway.proxy import pin_look
from gateway.proxy.http_upstream import HttpUpstream
from gateway.proxy.pins import Pins
from gateway.tasks import Tasks
from tests.support.upstream import ScriptedUpstream, rpc_result
from tests.support.waiting import eventually

TOOL = {"name": "get_code"}


async def test_the_gateway_looks_until_it_sees(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    """The list is asked for until it can be had, and calls are denied until then."""
    monkeypatch.setattr(pin_look, "FIRST_PAUSE_S", 0.01)
    server, tasks = ScriptedUpstream(), Tasks()
    pins = Pins("binassist", "hide", {"get_code": fingerprint(TOOL)}, lambda *_: None)
    await server.start()
    failing = True

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message and message.get("method") == "tools/list":
            return rpc_result(message, {"tools": 5 if failing else [TOOL]})
        return upstream.default_answer(message)

    server.script = script
    way = HttpUpstream("binassist", server.url, {}, 5, {})
    way.open()
    looking = tasks.spawn(pin_look.look(way, pins), "look")
    await eventually(lambda: "tools cannot be compared with their pins yet" in caplog.text)
    assert pins.refusal("get_code") is not None
    failing = False
    await looking
    assert pins.refusal("get_code") is None
    await way.close()
    await tasks.close()
    await server.stop()
