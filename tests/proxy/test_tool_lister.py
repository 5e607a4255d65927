"""A server's tools are listed by a client of ours: any server's, whole, within bounds, and nothing is left behind."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.proxy import tool_lister
from gateway.proxy.http_upstream import HttpUpstream
from gateway.proxy.sse_upstream import SseUpstream
from gateway.proxy.tool_lister import ListingError, list_tools
from gateway.proxy.upstream import Upstream
from gateway.tasks import Tasks
from tests.support.gateways import write_event
from tests.support.sse_server import SseServer
from tests.support.upstream import ScriptedUpstream, open_stream, rpc_result


@pytest.fixture
async def server() -> AsyncIterator[ScriptedUpstream]:
    """A scripted server."""
    started = ScriptedUpstream()
    await started.start()
    yield started
    started.released.set()
    await started.stop()


@pytest.fixture
async def way(server: ScriptedUpstream) -> AsyncIterator[HttpUpstream]:
    """The way to it."""
    opened = HttpUpstream("binassist", server.url, {"X-Api-Key": "ours"}, 5, {})
    opened.open()
    yield opened
    await opened.close()


def pages(*listed: Any) -> Any:
    """A script that answers `tools/list` page by page and everything else as usual."""
    left = list(listed)

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message and message.get("method") == "tools/list":
            return rpc_result(message, left.pop(0))
        return upstream.default_answer(message)

    return script


def methods(server: ScriptedUpstream) -> list[str]:
    """What the server received, in order."""
    return [received.message["method"] if received.body else received.method for received in server.received]


async def names(way: Upstream) -> list[str]:
    """The names of the tools listed."""
    return [tool["name"] for tool in await list_tools(way)]


async def test_every_page_is_read_in_a_session_that_ends(server: ScriptedUpstream, way: HttpUpstream):
    """Pages follow by their cursors, an empty one included, and DELETE ends the session."""
    server.script = pages(
        {"tools": [{"name": "a"}], "nextCursor": ""},
        {"tools": [], "nextCursor": "2"},
        {"tools": [{"name": "b", "x": 1}, 5, {}, {"name": 7}]},
    )
    assert await list_tools(way) == [{"name": "a"}, {"name": "b", "x": 1}]
    assert methods(server) == ["initialize", "notifications/initialized", *["tools/list"] * 3, "DELETE"]
    assert [received.message["params"] for received in server.received[2:5]] == [{}, {"cursor": ""}, {"cursor": "2"}]
    for received in server.received[1:]:
        assert received.headers["mcp-session-id"] == "upstream-session"
        assert received.headers["mcp-protocol-version"] == "2025-11-25"
    assert {received.headers["x-api-key"] for received in server.received} == {"ours"}


async def test_a_modern_server_is_asked_as_it_wants(server: ScriptedUpstream, way: HttpUpstream):
    """A server that refuses `initialize` is asked again with 2026-07-28's headers, and has no session to end."""

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message["method"] == "initialize":
            error = {"jsonrpc": "2.0", "id": message["id"], "error": {"code": -32601, "message": "no"}}
            return web.json_response(error, status=404)
        assert message["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
        assert request.headers["Mcp-Method"] == message["method"] == "tools/list"
        assert request.headers["MCP-Protocol-Version"] == "2026-07-28"
        return rpc_result(message, {"resultType": "complete", "tools": [{"name": "a"}], "ttlMs": 0})

    server.script = script
    assert await names(way) == ["a"]
    assert methods(server) == ["initialize", "tools/list"]


async def test_answers_on_streams_are_read(server: ScriptedUpstream, way: HttpUpstream):
    """What comes on a stream beside the answer is passed over, and the stream need not end."""

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message is None or message["method"] != "tools/list":
            return upstream.default_answer(message)
        response = await open_stream(request)
        await response.write(b": hello\n\n")
        await write_event(response, {"jsonrpc": "2.0", "id": message["id"], "method": "ping"})
        await write_event(response, {"jsonrpc": "2.0", "id": 99, "result": {"tools": [{"name": "other"}]}})
        await write_event(response, {"jsonrpc": "2.0", "id": message["id"], "result": {"tools": [{"name": "a"}]}})
        await upstream.released.wait()
        return response

    server.script = script
    assert await names(way) == ["a"]


async def test_a_server_over_http_sse_is_listed():
    """The transport of 2024-11-05 is no different, and its stream is closed at the end."""
    server, tasks = SseServer(), Tasks()
    await server.start()
    way = SseUpstream("binassist", server.url, {}, 5, {}, tasks)
    way.open()
    assert await names(way) == ["cancel_task", "list_tasks", "get_code"]
    await way.close()
    await tasks.close()
    server.released.set()
    await server.stop()
    assert len(server.streams) == 1


def raw(body: bytes, status: int = 200, media_type: str = "application/json") -> Any:
    """A script that answers `tools/list` with these bytes."""

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message and message.get("method") == "tools/list":
            return web.Response(body=body, status=status, content_type=media_type)
        return upstream.default_answer(message)

    return script


ENDLESS = [{"tools": [], "nextCursor": str(number)} for number in range(tool_lister.MAX_PAGES + 1)]


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (pages({"tools": [], "nextCursor": "a"}, {"tools": [], "nextCursor": "a"}), "the same page again"),
        (pages(*ENDLESS), "on more than 100 pages"),
        (pages({"tools": [{"name": "a"}] * (tool_lister.MAX_TOOLS + 1)}), "more than 5000 tools"),
        (pages({"tools": {}}), "a list of tools that is no array"),
        (pages({}), "a list of tools that is no array"),
        (raw(b"{"), "cannot be read: Not valid JSON"),
        (raw(b'{"id":2,"id":2,"result":{}}'), "the same key twice"),
        (raw(b"[]"), r"refused to list its tools \(HTTP 200\)"),
        (raw(b"no", 401, "text/plain"), r"refused to list its tools \(HTTP 401\)"),
        (raw(b"", 307), r"refused to list its tools \(HTTP 307\)"),
        (raw(b'{"jsonrpc":"2.0","id":2,"error":{"code":1,"message":"SECRET"}}'), r"refused to list its tools"),
    ],
)
async def test_a_list_that_makes_no_sense_is_an_error(
    server: ScriptedUpstream, way: HttpUpstream, script: Any, said: str
):
    """What cannot be read or never ends is told in our own words, and the session ends all the same."""
    server.script = script
    with pytest.raises(ListingError, match=said) as raised:
        await list_tools(way)
    assert "SECRET" not in str(raised.value)
    assert methods(server)[-1] == "DELETE"


@pytest.mark.parametrize("media_type", ["application/json", "text/event-stream"])
async def test_a_flood_is_cut_off(
    server: ScriptedUpstream, way: HttpUpstream, monkeypatch: pytest.MonkeyPatch, media_type: str
):
    """A page has a size beyond which it is not read, whatever it is made of."""
    monkeypatch.setattr(tool_lister, "MAX_PAGE_BYTES", 1000)
    server.script = raw(b": x\n\n" * 1000 if "event" in media_type else b" " * 5000, media_type=media_type)
    with pytest.raises(ListingError, match="more than"):
        await list_tools(way)


async def test_a_server_that_never_answers_is_given_up(server: ScriptedUpstream, way: HttpUpstream):
    """The whole listing has a time-out, and the session is ended after it."""

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message and message.get("method") == "tools/list":
            await asyncio.Event().wait()
        return upstream.default_answer(message)

    server.script = script
    with pytest.raises(ListingError, match=r"did not list its tools within 0\.2 s"):
        await list_tools(way, timeout_s=0.2)
    assert methods(server)[-1] == "DELETE"


async def test_a_server_that_is_not_there():
    """Nobody at the address is said as such."""
    way = HttpUpstream("binassist", "http://127.0.0.1:9/mcp", {}, 5, {})
    way.open()
    with pytest.raises(ListingError, match=r"The tools of binassist cannot be listed: the server cannot be reached\."):
        await list_tools(way)
    await way.close()


async def test_a_redirect_is_not_followed(server: ScriptedUpstream, way: HttpUpstream):
    """A server has no say in which other host is asked."""

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": upstream.url})

    server.script = script
    with pytest.raises(ListingError, match="HTTP 307"):
        await list_tools(way)
    assert len(server.received) == 2
    assert orjson.loads(server.received[1].body)["method"] == "tools/list"
