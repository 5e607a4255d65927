"""What a reload does to streams that are open: revoked grants lose them, the others hear that their lists changed."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import httpx2
import orjson
import pytest
from aiohttp import web
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.gateways import ALLOW_ALL, RunningGateway, modern, tool_call, write_event
from tests.support.messages import request
from tests.support.sse_agent import INITIALIZE, SseAgent, ended
from tests.support.stdio_agent import SocketAgent
from tests.support.upstream import ScriptedUpstream, open_stream, rpc_result

CHANGED = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
LISTEN = {"notifications": {"toolsListChanged": True, "promptsListChanged": True}}


class Announcer:
    """A script of a server that declares changes of its lists, and has a stream for what it says of its own accord."""

    def __init__(self, *lists: str) -> None:
        self.capabilities = {name: {"listChanged": name in lists} for name in ("tools", "prompts", "resources")}
        self.agreed = {f"{name}ListChanged": True for name in lists}
        self.notes: asyncio.Queue[Any] = asyncio.Queue()

    async def __call__(self, server: ScriptedUpstream, incoming: web.Request, message: Any) -> web.StreamResponse:
        method = message.get("method") if message else incoming.method
        if method == "initialize":
            result = {"protocolVersion": "2025-11-25", "capabilities": self.capabilities, "serverInfo": {}}
            return rpc_result(message, result, headers={"Mcp-Session-Id": "upstream-session"})
        if method == "tools/list":
            shape = {"resultType": "complete", "ttlMs": 0, "cacheScope": "public"}
            return rpc_result(message, {"tools": server.tools, **shape})
        if method not in ("GET", "subscriptions/listen"):
            return server.default_answer(message) if message else web.Response(status=200)
        response = await open_stream(incoming)
        if message:
            params = {"notifications": self.agreed, "_meta": {"io.modelcontextprotocol/subscriptionId": message["id"]}}
            await write_event(
                response, {"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params}
            )
        while True:
            await write_event(response, await self.notes.get())


@pytest.fixture
def announcer(upstream: ScriptedUpstream) -> Announcer:
    """The script of the server: it declares that it tells of changed tools."""
    announcer = Announcer("tools")
    upstream.script = announcer
    return announcer


async def events(response: aiohttp.ClientResponse) -> AsyncIterator[Any]:
    """The messages on a stream as they come, each within a second."""
    async with asyncio.timeout(None) as patience:
        while True:
            patience.reschedule(asyncio.get_running_loop().time() + 5)
            line = await response.content.readline()
            if line.startswith(b"data: "):
                yield orjson.loads(line.removeprefix(b"data: "))


async def listen(gateway: RunningGateway, grant: str = "seed") -> aiohttp.ClientResponse:
    """Open a session, and its stream."""
    async with gateway.client.post(gateway.url, json=INITIALIZE, headers=gateway.headers(grant)) as response:
        session = {"Mcp-Session-Id": response.headers["Mcp-Session-Id"]}
    return await gateway.client.get(gateway.url, headers=gateway.headers(grant) | session)


async def subscribe(gateway: RunningGateway) -> aiohttp.ClientResponse:
    """Open a stream as agents of 2026-07-28 do."""
    message, headers = modern(request("subscriptions/listen", 7, **LISTEN).body)
    return await gateway.client.post(gateway.url, json=message, headers=gateway.headers(**headers))


def other_policy(document: dict[str, Any]) -> None:
    """Another policy for the grant `seed`."""
    document["policies"]["seed"] = ALLOW_ALL


def same_policy(document: dict[str, Any]) -> None:
    """Something else changes."""
    document["allowed_hosts"] = ["gate.example"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda document: document["grants"].pop(0),
        lambda document: document["grants"][0].update(token_sha256="0" * 64),
        lambda document: document["grants"][0].update(label="renamed"),
        lambda document: document["grants"][0].update(expires="2020-01-01T00:00:00Z"),
        lambda document: (
            document["servers"].update(second=document["servers"]["binassist"]),
            document["grants"][0].update(server="second"),
        ),
    ],
    ids=["removed", "another token", "another label", "expired", "another server"],
)
async def test_a_revoked_grant_loses_its_streams(gateway: RunningGateway, announcer: Announcer, edit: Any):
    """Of every kind, within a second; those of other grants stay, and the server's sides are closed too."""
    other = await listen(gateway, "other")
    async with SseAgent(gateway) as agent:
        await agent.initialize()
        streams = [await listen(gateway), await subscribe(gateway), agent.stream]
        assert await gateway.reload(edit)
        async with asyncio.timeout(1):
            assert all([await ended(stream) for stream in streams])
    await announcer.notes.put(NOTE)
    assert await anext(events(other)) == NOTE
    assert gateway.records()[-1]["type"] == "outcome"


async def test_an_expiry_that_moves_moves_the_end_of_streams(gateway: RunningGateway, announcer: Announcer):
    """A stream of a grant that is given more time goes on, however little there was left of the old."""
    near = "2027-01-15T08:00:01Z"
    assert await gateway.reload(lambda document: document["grants"][0].update(expires=near))
    stream = await listen(gateway)
    gateway.clock.advance(seconds=0.999)
    assert await gateway.reload(lambda document: document["grants"][0].pop("expires"))
    gateway.clock.advance(seconds=60)
    await announcer.notes.put(NOTE)
    assert await anext(events(stream)) == NOTE
    stream.close()


async def test_sessions_hear_that_their_lists_changed(gateway: RunningGateway, announcer: Announcer):
    """On the stream of a session, once, and only when the grant's policy is another one."""
    stream = await listen(gateway)
    assert await gateway.reload(same_policy)
    await announcer.notes.put(NOTE)
    assert await anext(events(stream)) == NOTE
    assert await gateway.reload(other_policy)
    assert await anext(events(stream)) == CHANGED
    await announcer.notes.put(NOTE)
    assert await anext(events(stream)) == NOTE
    stream.close()


async def test_a_notice_is_never_inside_an_event(gateway: RunningGateway, upstream: ScriptedUpstream):
    """While half of the server's event is here, the notice goes first."""
    announcer = Announcer("tools")

    async def script(server: ScriptedUpstream, incoming: web.Request, message: Any) -> web.StreamResponse:
        if incoming.method != "GET":
            return await announcer(server, incoming, message)
        response = await open_stream(incoming)
        half = orjson.dumps(NOTE)
        await response.write(b"data: " + orjson.dumps(NOTE) + b"\n\n" + b"data: " + half[:20])
        await server.released.wait()
        await response.write(half[20:] + b"\n\n")
        return response

    upstream.script = script
    stream = await listen(gateway)
    assert await anext(events(stream)) == NOTE
    assert await gateway.reload(other_policy)
    assert await anext(events(stream)) == CHANGED
    upstream.released.set()
    assert await anext(events(stream)) == NOTE
    stream.close()


async def test_only_what_was_declared_is_announced(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A server that announces changes of prompts alone promised nothing about tools."""
    upstream.script = Announcer("prompts", "resources")
    stream = await listen(gateway)
    assert await gateway.reload(other_policy)
    found = events(stream)
    methods = {(await anext(found))["method"], (await anext(found))["method"]}
    assert methods == {"notifications/prompts/list_changed", "notifications/resources/list_changed"}
    stream.close()


async def test_a_session_that_was_promised_nothing_hears_nothing(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The next thing on its stream is the server's."""
    announcer = upstream.script = Announcer()
    stream = await listen(gateway)
    assert await gateway.reload(other_policy)
    await announcer.notes.put(NOTE)
    assert await anext(events(stream)) == NOTE
    stream.close()


async def test_subscriptions_hear_of_what_the_server_agreed_to(gateway: RunningGateway, announcer: Announcer):
    """On a stream of 2026-07-28, under its own id, after the acknowledgement; the prompts were not agreed to."""
    stream = await subscribe(gateway)
    found = events(stream)
    assert (await anext(found))["method"] == "notifications/subscriptions/acknowledged"
    assert await gateway.reload(other_policy)
    assert await anext(found) == {
        **CHANGED,
        "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": 7}},
    }
    await announcer.notes.put(NOTE)
    assert await anext(found) == NOTE
    stream.close()


@pytest.mark.parametrize("has_stream", [True, False], ids=["with", "without"])
async def test_agents_over_http_sse_hear_it_on_their_one_stream(
    gateway: RunningGateway, upstream: ScriptedUpstream, has_stream: bool
):
    """Once, with or without a stream of the server's own behind it."""
    announcer = Announcer("tools")

    async def script(server: ScriptedUpstream, incoming: web.Request, message: Any) -> web.StreamResponse:
        if incoming.method == "GET" and not has_stream:
            return web.Response(status=405)
        return await announcer(server, incoming, message)

    upstream.script = script
    async with SseAgent(gateway) as agent:
        await agent.initialize()
        assert await gateway.reload(other_policy)
        assert await agent.message() == CHANGED
        assert "result" in await agent.ask(tool_call("cancel_task", id="after"))


async def test_an_official_client_lists_anew(gateway: RunningGateway, announcer: Announcer):
    """The library of 2026-07-28 hears of the change on its subscription, and then sees what it may call now."""
    headers = {"Authorization": "Bearer token-seed"}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(gateway.url, http_client=http), mode="2026-07-28") as client,
        client.listen(tools_list_changed=True) as subscription,
        asyncio.timeout(10),
    ):
        assert [tool.name for tool in (await client.list_tools()).tools] == ["cancel_task"]
        assert await gateway.reload(other_policy)
        assert type(await anext(aiter(subscription))).__name__ == "ToolsListChanged"
        assert len((await client.list_tools()).tools) == 3


async def test_agents_over_stdio_hear_it_and_end_with_their_grant(gateway: RunningGateway, announcer: Announcer):
    """In both eras on the one stream that they have, which ends when the grant is revoked."""
    async with SocketAgent(gateway) as agent:
        await agent.initialize()
        message, _ = modern(request("subscriptions/listen", 7, **LISTEN).body)
        assert (await agent.ask(message))["method"] == "notifications/subscriptions/acknowledged"
        assert await gateway.reload(other_policy)
        told = [await agent.message(), await agent.message()]
        assert CHANGED in told
        assert {**CHANGED, "params": {"_meta": {"io.modelcontextprotocol/subscriptionId": 7}}} in told
        assert await gateway.reload(lambda document: document["grants"].pop(0))
        with pytest.raises(EOFError):
            await agent.message()
