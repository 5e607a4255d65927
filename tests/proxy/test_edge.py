"""Requests as HTTP: addressed to us, and in a form with one meaning."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from aiohttp import HttpVersion, web
from aiohttp.test_utils import make_mocked_request

from gateway.mcp.codes import HEADER_MISMATCH
from gateway.proxy import edge
from gateway.proxy.edge import body_timeout_s, check_accept, check_form, read_body
from gateway.proxy.reply import Refusal

JSON = {
    "Content-Type": "application/json",
    "Content-Length": "2",
    "Accept": "application/json, text/event-stream",
}


def refusal_by(check: Callable[..., Any], *arguments: Any) -> Refusal:
    """The refusal that a check ends with."""
    with pytest.raises(Refusal) as raised:
        check(*arguments)
    return raised.value


def request(version: tuple[int, int] = (1, 1)) -> web.Request:
    """A POST in some version of HTTP."""
    return make_mocked_request("POST", "/mcp", version=HttpVersion(*version))


def request_reading(read: Callable[[], Awaitable[bytes]]) -> web.Request:
    """A request whose body comes from `read`."""

    class Reading:
        async def read(self) -> bytes:
            return await read()

    return cast("web.Request", Reading())


async def two_bytes() -> bytes:
    """A body that is there."""
    return b"{}"


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "x"), ("Authorization", "Bearer x"), ("Connection", "keep-alive, close"), ("X-Request_Id", "1")],
        [("Mcp-Method", "ping"), ("Mcp-Param-A", "1"), ("Mcp-Session-Id", "s"), ("Last-Event-ID", "7")],
        [("Accept", "a"), ("Accept", "b"), ("Cookie", "é"), ("X-A", "\udcff"), ("Connection", "Upgrade")],
    ],
)
def test_an_ordinary_form_passes(headers):
    """Repeated lists, cookies and headers of others' are nobody's concern: they stay here."""
    check_form(request(), headers)


def test_a_second_authorization_is_left_to_identity():
    """Two tokens are answered as any bad token is, with the same challenge."""
    check_form(request(), [("Authorization", "Bearer a"), ("authorization", "Bearer b")])


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([("Host", "a"), ("host", "a")], "duplicate_header"),
        ([("Origin", "a"), ("ORIGIN", "b")], "duplicate_header"),
        ([("Content-Type", "a"), ("content-type", "a")], "duplicate_header"),
        ([("Content-Length", "1"), ("Content-Length", "1")], "duplicate_header"),
        ([("Mcp-Session-Id", "a"), ("mcp-session-id", "b")], "duplicate_header"),
        ([("Last-Event-ID", "1"), ("last-event-id", "2")], "duplicate_header"),
        ([("Upgrade", "websocket")], "upgrade"),
        ([("upgrade", "h2c"), ("Connection", "Upgrade, HTTP2-Settings")], "upgrade"),
        ([("Connection", "authorization")], "connection"),
        ([("Connection", "close,Authorization")], "connection"),
        ([("Connection", "close"), ("connection", " Mcp-Param-Id ")], "connection"),
        ([("Connection", "Mcp-Session-Id")], "connection"),
        ([("Connection", "content-length")], "connection"),
        ([("Mcp_Name", "safe")], "underscore"),
        ([("mcp_session_id", "s")], "underscore"),
        ([("Mcp-Session_Id", "s")], "underscore"),
        ([("Content_Length", "5")], "underscore"),
        ([("Mcp-Name", "é")], "header_value"),
        ([("Mcp-Param-X", "a\udcffb")], "header_value"),
        ([("Last-Event-ID", "\udcff")], "header_value"),
    ],
)
def test_a_form_with_two_meanings_is_refused(headers, reason):
    """F51, F55: doubles, upgrades, hop-by-hop and underscore tricks, and values that would not arrive as sent."""
    refusal = refusal_by(check_form, request(), headers)
    assert (refusal.status, refusal.reason) == (400, reason)


@pytest.mark.parametrize("name", ["Mcp-Name", "MCP-METHOD", "Mcp-Param-Id", "MCP-Protocol-Version"])
def test_a_doubled_mirror_of_the_body_is_a_mismatch(name):
    """F36, F37: any `Mcp-*` header given twice is refused with the code of the revision, equal values or not."""
    refusal = refusal_by(check_form, request(), [(name, "a"), (name.lower(), "a")])
    assert (refusal.status, refusal.code) == (400, HEADER_MISMATCH)


@pytest.mark.parametrize("version", [(0, 9), (1, 0), (2, 0), (1, 2)])
def test_only_http_1_1_is_spoken(version):
    """F50: other versions frame bodies in other ways."""
    assert refusal_by(check_form, request(version), []).reason == "http_version"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"Content-Type": "application/json; charset=utf-8"},
        {"Content-Type": 'Application/JSON;charset="UTF-8"'},
        {"Accept": "text/event-stream;q=0.5 , application/json"},
        {"Accept": "*/*"},
        {"Accept": "application/*, text/*"},
    ],
)
async def test_a_body_in_json_is_read(changes):
    """A body with a length, of our media type, for an agent that takes both kinds of answer."""
    assert await read_body(request_reading(two_bytes), list((JSON | changes).items())) == b"{}"


async def test_accept_does_not_matter_where_the_answer_comes_otherwise():
    """A POST over HTTP+SSE has no answer of its own; everything else is checked all the same."""
    headers = [("Content-Type", "application/json"), ("Content-Length", "2")]
    assert await read_body(request_reading(two_bytes), headers, answers=()) == b"{}"
    with pytest.raises(Refusal) as raised:
        await read_body(request_reading(two_bytes), headers[1:], answers=())
    assert raised.value.status == 415


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"Content-Length": None}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
        ({"Content-Length": None, "Transfer-Encoding": "gzip, chunked"}, 411),
        ({"Content-Encoding": "gzip"}, 415),
        ({"Content-Encoding": "gzip, gzip"}, 415),
        ({"Content-Encoding": "br"}, 415),
        ({"Content-Encoding": ""}, 415),
        ({"Content-Type": None}, 415),
        ({"Content-Type": ""}, 415),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/jsonx"}, 415),
        ({"Content-Type": "application/json-rpc"}, 415),
        ({"Content-Type": "application/json, text/plain"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "application/json; charset=utf-16"}, 415),
        ({"Content-Type": "application/json; charset=utf-7"}, 415),
        ({"Content-Type": "application/json; charset=utf-8; charset=utf-16"}, 415),
        ({"Accept": None}, 406),
        ({"Accept": ""}, 406),
        ({"Accept": "application/json"}, 406),
        ({"Accept": "text/event-stream"}, 406),
        ({"Accept": "text/*"}, 406),
        ({"Accept": "application/jsonx, text/event-stream"}, 406),
    ],
)
async def test_a_body_of_another_kind_is_refused_unread(changes, status):
    """F46 to F49: each kind has its status, and not a byte of it is read."""

    async def must_not_be_read() -> bytes:
        raise AssertionError("the body was read")

    headers = [(name, value) for name, value in (JSON | changes).items() if value is not None]
    with pytest.raises(Refusal) as raised:
        await read_body(request_reading(must_not_be_read), headers)
    assert raised.value.status == status


async def test_a_body_that_is_too_large_is_refused():
    """What aiohttp will not read any further is 413."""

    async def too_large() -> bytes:
        raise web.HTTPRequestEntityTooLarge(max_size=1, actual_size=2)

    with pytest.raises(Refusal) as raised:
        await read_body(request_reading(too_large), list(JSON.items()))
    assert (raised.value.status, raised.value.reason) == (413, "too_large")


async def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch):
    """F60: an agent that stops in the middle of its body gets 408."""
    monkeypatch.setattr(edge, "SLOW_START_S", 0.0)

    async def stalls() -> bytes:
        await asyncio.Event().wait()
        return b""

    with pytest.raises(Refusal) as raised:
        await read_body(request_reading(stalls), list(JSON.items()))
    assert (raised.value.status, raised.value.reason) == (408, "slow_body")


@pytest.mark.parametrize(("length", "seconds"), [(0, 10), (1024, 11), (10 * 1024, 20), (20 * 1024, 30), (1 << 20, 30)])
def test_a_body_has_a_rate_to_keep_and_an_end_to_meet(length: int, seconds: float):
    """F60: ten seconds, one more for each KiB, and never more than thirty."""
    assert body_timeout_s(length) == seconds


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "PUT"])
@pytest.mark.parametrize("header", [("Content-Length", "1"), ("Content-Length", "00"), ("Transfer-Encoding", "gzip")])
def test_only_a_post_has_a_body(method: str, header: tuple[str, str]):
    """C: a body that one reader skips and another does not is a request hidden in a request."""
    asked = make_mocked_request(method, "/mcp")
    assert refusal_by(check_form, asked, [header]).reason == "body"
    check_form(asked, [("Content-Length", "0")])


def test_accept_admits_ranges():
    """A media type is admitted by its name, its family or everything."""
    for accept in (["text/*;q=0.1, application/json"], ["application/json", "text/event-stream"], ["*/*"]):
        check_accept([("Accept", value) for value in accept], "text/event-stream", "application/json")
    refusal = refusal_by(check_accept, [("Accept", "text/html")], "text/event-stream")
    assert (refusal.status, str(refusal)) == (406, "Accept must name text/event-stream.")
