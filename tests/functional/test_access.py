"""Who may reach a server at all: tokens, addresses, sessions."""

import asyncio
import datetime
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.support.gateways import SEED_POLICY, RunningGateway, is_allowed, tool_call, write_config
from tests.support.upstream import ScriptedUpstream

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "1"},
    },
}


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer ",
        "Bearer wrong",
        "Basic token-seed",
        "Bearer token-seed extra",
        "token-seed",
        "Bearer\ttoken-seed",
    ],
)
async def test_a_request_without_a_valid_token_gets_401(
    gateway: RunningGateway, upstream: ScriptedUpstream, authorization: str
):
    """Every kind of missing or wrong token gets the same 401 with a challenge, and nothing is forwarded."""
    headers = gateway.headers() | {"Authorization": authorization}
    async with gateway.client.post(gateway.url, json=tool_call("cancel_task"), headers=headers) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Bearer realm="mcp", error="invalid_token"'
        assert (await response.json())["error"]["message"] == "A valid bearer token for this server is required."
    assert upstream.received == []
    assert gateway.records()[-1]["reason"] == "unauthenticated"


async def test_an_expired_grant_gets_401(upstream: ScriptedUpstream, tmp_path: Path):
    """A grant works until its expiry, to the nanosecond, and not after."""
    path = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    document = json.loads(path.read_text())
    document["grants"][0]["expires"] = datetime.datetime.fromtimestamp(1_800_000_060, datetime.UTC).isoformat()
    path.write_text(json.dumps(document))
    running = RunningGateway(path)
    await running.start()
    running.clock.advance(ns=60_000_000_000 - 1)
    assert is_allowed(await running.call())
    running.clock.advance(ns=1)
    assert (await running.post(tool_call("cancel_task")))[0] == 401
    await running.stop()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:80@evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Accept": "application/json"}, 406),
    ],
)
async def test_misaddressed_requests_are_refused(
    gateway: RunningGateway, upstream: ScriptedUpstream, headers: dict[str, str], status: int
):
    """A request for another host, from a foreign page or in another form is refused with its own status."""
    sent = gateway.headers() | headers
    async with gateway.client.post(gateway.url, data=b"{}", headers=sent) as response:
        assert response.status == status
    assert upstream.received == []


@pytest.mark.parametrize("path", ["/%6dcp", "//mcp", "/mcp/", "/mcp/../mcp", "/MCP", "/mcp;x", "/metrics", "/mcp?a=b"])
async def test_only_the_exact_path_is_served(gateway: RunningGateway, upstream: ScriptedUpstream, path: str):
    """Paths that only resemble an endpoint's are 404; the second listener is out of reach."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer token-seed\r\n"
        "Content-Length: 2\r\nContent-Type: application/json\r\n\r\n{}"
    )
    assert await _raw(gateway, head) == 404
    assert upstream.received == []


async def test_two_authorization_headers_are_refused(gateway: RunningGateway):
    """Two Authorization headers could be read in two ways, so neither is."""
    head = (
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer token-seed\r\n"
        "Authorization: Bearer token-other\r\nContent-Length: 2\r\n\r\n{}"
    )
    assert await _raw(gateway, head) == 401


async def test_a_body_without_a_length_is_refused(gateway: RunningGateway):
    """Chunked bodies are refused: 411."""
    head = (
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer token-seed\r\n"
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    assert await _raw(gateway, head) == 411


async def test_a_session_belongs_to_the_grant_that_opened_it(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The session id is of use to its own grant only; the server sees its own id, never ours."""
    async with gateway.client.post(gateway.url, json=INITIALIZE, headers=gateway.headers()) as response:
        session_id = response.headers["Mcp-Session-Id"]
    assert session_id.startswith("upstream-session.")
    assert len(session_id) == len("upstream-session.") + 22
    status, _ = await gateway.post(tool_call("cancel_task"), Mcp_Session_Id=session_id)
    assert status == 200
    assert upstream.received[-1].headers["mcp-session-id"] == "upstream-session"
    arrived = len(upstream.received)
    for grant, stolen in (
        ("open", session_id),
        ("seed", "upstream-session"),
        ("seed", session_id[:-1] + "!"),
    ):
        status, answer = await gateway.post(tool_call("cancel_task"), grant=grant, Mcp_Session_Id=stolen)
        assert (status, answer["error"]["code"]) == (404, -32001)
    assert len(upstream.received) == arrived


async def test_the_server_gets_our_credential_and_never_the_agents(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Authorization, cookies and internal headers stay here; the server's own header and Mcp-* go on."""
    await gateway.post(
        tool_call("cancel_task"),
        Cookie="session=secret",
        X_Api_Key="theirs",
        X_Approved="yes",
        X_Forwarded_For="1.2.3.4",
        Mcp_Param_Region="eu",
    )
    headers = upstream.received[-1].headers
    assert headers["x-api-key"] == "ours"
    assert headers["mcp-param-region"] == "eu"
    assert headers["host"].startswith("127.0.0.1")
    assert not {"authorization", "cookie", "x-approved", "x-forwarded-for"} & headers.keys()


async def _raw(gateway: RunningGateway, head: str) -> int:
    """The status of a request sent as it stands."""
    host, port = gateway.gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), family=socket.AF_INET)
    writer.write(head.encode())
    status_line = await reader.readline()
    writer.close()
    return int(status_line.split()[1])


@pytest.mark.parametrize(
    ("status", "content_type", "is_lost"),
    [(404, "application/json", True), (400, "text/plain", True), (400, "application/json", False)],
)
async def test_a_session_that_the_server_lost_is_a_clean_404(
    gateway: RunningGateway, upstream: ScriptedUpstream, status: int, content_type: str, is_lost: bool
):
    """Servers say it with 404 or with a plain 400; agents initialize again on 404 alone. Other errors pass."""
    async with gateway.client.post(gateway.url, json=INITIALIZE, headers=gateway.headers()) as response:
        session_id = response.headers["Mcp-Session-Id"]

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return web.Response(status=status, text='{"error":"theirs"}', content_type=content_type)

    upstream.script = script
    got, answer = await gateway.post(tool_call("cancel_task"), Mcp_Session_Id=session_id)
    assert got == (404 if is_lost else 400)
    assert answer["error"] == ({"code": -32001, "message": "Session not found"} if is_lost else "theirs")
