"""The schemas of a server's tools, over the life of a gateway."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gateway.proxy.http_upstream import HttpUpstream
from gateway.proxy.tool_schemas import ToolSchemas
from gateway.tasks import Tasks
from tests.support.upstream import ScriptedUpstream, rpc_result
from tests.support.waiting import eventually

CHANGED = b'data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n'


@pytest.fixture
async def server() -> AsyncIterator[ScriptedUpstream]:
    """A server with one tool, on one page."""
    server = ScriptedUpstream(tools=[{"name": "t", "inputSchema": {"required": ["a"]}}])

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message is not None and message.get("method") == "tools/list":
            return rpc_result(message, {"tools": server.tools})
        return server.default_answer(message)

    server.script = script
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def schemas(server: ScriptedUpstream) -> AsyncIterator[ToolSchemas]:
    """Kept from now on, with hardly a pause."""
    upstream, tasks = HttpUpstream("binassist", server.url, {}, 5.0, {}), Tasks()
    upstream.open()
    schemas = ToolSchemas(upstream, first_pause_s=0.01)
    assert schemas.watch(None) is None
    tasks.spawn(schemas.keep(), "keep")
    yield schemas
    await tasks.close()
    await upstream.close()


async def test_schemas_are_known_once_they_are_listed(schemas: ToolSchemas):
    """Not before, and not those of other tools."""
    assert schemas.schema("t") is None
    await eventually(lambda: schemas.schema("t") is not None)
    schema = schemas.schema("t")
    assert schema is not None
    assert not schema.required.is_valid({})
    assert schemas.schema("u") is None


async def test_they_are_listed_again_when_they_have_changed(schemas: ToolSchemas, server: ScriptedUpstream):
    """On the server's own word, wherever it is seen; other words change nothing."""
    await eventually(lambda: schemas.schema("t") is not None)
    server.tools = [{"name": "u", "inputSchema": {}}]
    watch = schemas.watch(None)
    assert watch is not None
    assert not watch.must_read
    assert watch.filter_event(CHANGED) == CHANGED
    await eventually(lambda: schemas.schema("u") is not None)
    assert schemas.schema("t") is None


async def test_while_the_server_cannot_be_asked_nothing_is_known(schemas: ToolSchemas, server: ScriptedUpstream):
    """After a failed listing, until one succeeds."""
    await eventually(lambda: schemas.schema("t") is not None)
    script, server.script = server.script, failing
    watch = schemas.watch(None)
    assert watch is not None
    watch.filter_event(CHANGED)
    await eventually(lambda: schemas.schema("t") is None)
    server.script = script
    await eventually(lambda: schemas.schema("t") is not None)


async def failing(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """A server that is out of order."""
    await asyncio.sleep(0)
    return web.Response(status=500)


async def test_a_schema_that_cannot_be_used_is_not_known(schemas: ToolSchemas, server: ScriptedUpstream):
    """One that is none, that refers elsewhere, or of a name that is listed twice; the others are."""
    await eventually(lambda: schemas.schema("t") is not None)
    server.tools = [
        {"name": "bad", "inputSchema": {"type": "objekt"}},
        {"name": "odd", "inputSchema": {"required": 5}},
        {"name": "far", "inputSchema": {"$ref": "http://127.0.0.1:9/x"}},
        {"name": "none"},
        {"inputSchema": {}},
        {"name": "twice", "inputSchema": {}},
        {"name": "twice", "inputSchema": {}},
        {"name": "good", "inputSchema": {}},
    ]
    watch = schemas.watch(None)
    assert watch is not None
    watch.filter_event(CHANGED)
    await eventually(lambda: schemas.schema("good") is not None)
    assert [schemas.schema(name) for name in ("bad", "odd", "far", "none", "twice", "t")] == [None] * 6
