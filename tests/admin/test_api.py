"""The HTTP API: who may ask, what it answers, and that only a POST with a token changes anything."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient

from gateway.addresses import Addresses
from gateway.admin import api
from gateway.admin.api import Api
from gateway.admin.health import make_application
from gateway.approval_desk import ApprovalDesk, Question
from gateway.clock import ManualClock
from gateway.metrics import Metrics
from gateway.series import Registry
from gateway.store.approval import Approval
from gateway.store.database import Database
from gateway.tasks import Tasks
from gateway.tokens import token_digest
from tests.support.approvals import CALL, LIFETIME_NS, unusable, with_arguments

TOKEN = "canary-admin-token"


class NoJournal:
    """Keeps nothing."""

    def append(self, record: object) -> bool:
        return True

    def now(self) -> str:
        return ""


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[ApprovalDesk]:
    """A desk on which nothing lies."""
    database = Database.open(tmp_path / "gateway.db")
    yield ApprovalDesk(
        database,
        records=NoJournal(),
        metrics=Metrics("1", "python"),
        clock=ManualClock(),
        tasks=Tasks(),
        most_pending=20,
        announce=no_announcement,
    )
    database.close()


@pytest.fixture
async def approval(desk: ApprovalDesk) -> Approval:
    """One that is pending."""
    return await desk.ask(Question(CALL, "strict", "/rule", "ab-1", LIFETIME_NS))


@pytest.fixture
async def client(aiohttp_client, desk: ApprovalDesk) -> TestClient:
    """The second listener, for one admin called zoe."""
    return await start(aiohttp_client, desk, {token_digest(TOKEN): "zoe"})


def no_announcement(_: Approval) -> None:
    """Nobody is told."""


async def start(aiohttp_client, desk: ApprovalDesk, tokens: dict[bytes, str]) -> TestClient:
    routes = Api(desk, lambda: tokens).routes()
    addresses = Addresses.of("127.0.0.1")
    return await aiohttp_client(make_application(Registry(), dict, dict, lambda: addresses, routes))


async def ask(client: TestClient, method: str, path: str, token: str = TOKEN, **more: Any) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", **more.pop("headers", {})}
    response = await client.request(method, path, headers=headers, **more)
    assert response.content_type == "application/json"
    assert response.headers["Cache-Control"] == "no-store"
    return response.status, await response.json()


async def test_the_list_can_be_narrowed_to_a_state(client: TestClient, desk: ApprovalDesk, approval: Approval):
    """Newest first, each with all there is to know."""
    other = await desk.ask(Question(with_arguments(x=1), "strict", "/rule", "ab-2", LIFETIME_NS))
    assert await ask(client, "GET", "/api/approvals") == (200, {"approvals": [other.to_json(), approval.to_json()]})
    assert (await ask(client, "POST", f"/api/approvals/{other.id}/deny", json={}))[0] == 200
    assert await ask(client, "GET", "/api/approvals?state=pending") == (200, {"approvals": [approval.to_json()]})
    assert await ask(client, "GET", "/api/approvals?state=consumed") == (200, {"approvals": []})
    status, body = await ask(client, "GET", "/api/approvals?state=open")
    assert (status, body["error"]) == (400, "state is one of pending, approved, denied, expired, consumed.")


@pytest.mark.parametrize(("action", "state"), [("approve", "approved"), ("deny", "denied")])
async def test_a_decision_carries_the_name_of_the_token(
    client: TestClient, approval: Approval, action: str, state: str
):
    """Who decided is who owns the token, whatever the body says; the second decision is a conflict."""
    path = f"/api/approvals/{approval.id[:8]}"
    status, decided = await ask(client, "POST", f"{path}/{action}", json={"reason": " checked "})
    assert status == 200
    assert (decided["state"], decided["approver"], decided["reason"]) == (state, "zoe", "checked")
    assert await ask(client, "GET", path) == (200, decided)
    status, body = await ask(client, "POST", f"{path}/approve", json={})
    assert (status, body["error"]) == (409, f"{approval.id} is {state} by zoe already; nothing was changed.")


async def test_without_a_configured_token_nobody_is_let_in(aiohttp_client, desk: ApprovalDesk, approval: Approval):
    """The answer says what to do about it."""
    client = await start(aiohttp_client, desk, {})
    for method, path in (("GET", "/api/approvals"), ("POST", f"/api/approvals/{approval.id}/approve")):
        status, body = await ask(client, method, path, json={})
        assert (status, body["error"]) == (
            403,
            "No admin token is configured: make one with `gateway admin new LABEL`.",
        )


@pytest.mark.parametrize("token", ["", "wrong", "töken", TOKEN.upper(), f" {TOKEN}", f"{TOKEN} x"])
async def test_a_wrong_token_is_refused(client: TestClient, desk: ApprovalDesk, approval: Approval, token: str):
    """On every route, with nothing said of what is there, and nothing changed."""
    for method, path in (
        ("GET", "/api/approvals"),
        ("GET", f"/api/approvals/{approval.id}"),
        ("POST", f"/api/approvals/{approval.id}/approve"),
        ("GET", "/api/nothing"),
    ):
        status, body = await ask(client, method, path, token, json={})
        assert (status, set(body)) == (401, {"error"})
    assert await desk.find(approval.id) == approval


async def test_two_tokens_are_none(client: TestClient, approval: Approval):
    """What could be read in two ways is not read."""
    headers = [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")]
    assert (await client.get("/api/approvals", headers=headers)).status == 401


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"data": b"{}"}, 415),
        ({"data": {"reason": "a form"}}, 415),
        ({"data": b"{}", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"json": {}, "headers": {"Content-Encoding": "gzip"}}, 415),
        ({"data": b"[", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b'{"reason":"a","reason":"b"}', "headers": {"Content-Type": "application/json"}}, 400),
        ({"json": []}, 400),
        ({"json": {"reason": 1}}, 400),
        ({"json": {"approver": "somebody else"}}, 400),
        ({"json": {"reason": "x" * 501}}, 400),
        ({"json": {"reason": "x" * 17_000}}, 413),
    ],
)
async def test_a_body_of_another_form_decides_nothing(
    client: TestClient, desk: ApprovalDesk, approval: Approval, sent: Any, status: int
):
    """What a page could send by itself, and what is not exactly a decision."""
    assert (await ask(client, "POST", f"/api/approvals/{approval.id}/approve", **sent))[0] == status
    assert await desk.find(approval.id) == approval


async def test_a_body_without_a_length_is_refused(client: TestClient, approval: Approval):
    """How much there is to read has to be known first."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"{}"

    headers = {"Content-Type": "application/json"}
    status, _ = await ask(client, "POST", f"/api/approvals/{approval.id}/approve", data=pieces(), headers=headers)
    assert status == 411


async def test_a_body_without_an_end_is_refused(
    client: TestClient, approval: Approval, monkeypatch: pytest.MonkeyPatch
):
    """Nobody holds a connection by sending slowly."""
    monkeypatch.setattr(api, "READ_TIMEOUT_S", 0.01)
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(
        f"POST /api/approvals/{approval.id}/approve HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Type: application/json\r\n\r\n{{".encode()
    )
    assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
    writer.close()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_a_post_decides(client: TestClient, desk: ApprovalDesk, approval: Approval, method: str):
    """A link that somebody is made to follow changes nothing."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for action in ("approve", "deny"):
        response = await client.request(method, f"/api/approvals/{approval.id}/{action}?reason=x", headers=headers)
        assert response.status == 404
    assert await desk.find(approval.id) == approval


async def test_what_is_not_there_is_not_found(client: TestClient):
    """In JSON, for unknown ids, ids that are none, and unknown paths."""
    for path in ("/api/approvals/0000000000", "/api/approvals/x", "/api/approvals/", "/api/", "/api/approvals/a/b/c"):
        status, body = await ask(client, "GET", path)
        assert (status, set(body)) == (404, {"error"}), path


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
async def test_a_web_page_reaches_nothing(client: TestClient, desk: ApprovalDesk, approval: Approval, headers):
    """Host and Origin are checked before the token is."""
    sent = {"Authorization": f"Bearer {TOKEN}", **headers}
    response = await client.post(f"/api/approvals/{approval.id}/approve", json={}, headers=sent)
    assert response.status in (403, 421)
    assert await desk.find(approval.id) == approval


async def test_a_database_that_fails_is_an_error_of_ours(client: TestClient, tmp_path: Path):
    """503, with the reason; the gateway itself goes on."""
    with unusable(tmp_path / "gateway.db"):
        status, body = await ask(client, "GET", "/api/approvals")
    assert status == 503
    assert "the database cannot be used" in body["error"]
