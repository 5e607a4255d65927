"""Headers that mirror the body: compared with it, and chosen to travel on."""

import base64

import pytest

from gateway.mcp import headers as mcp_headers
from gateway.mcp.codes import HEADER_MISMATCH
from gateway.mcp.headers import check, encoded, forwarded, returned, value_of
from gateway.mcp.versions import Era, MismatchError
from tests.support.messages import call, modern, notification, request, response


def sentinel(name: str) -> str:
    """A header value as the revisions write names beyond ASCII."""
    return f"=?base64?{base64.b64encode(name.encode()).decode()}?="


def mirrored(method: str, name: str | None = None) -> list[tuple[str, str]]:
    """The headers of a modern request."""
    return [("Mcp-Method", method), *([("Mcp-Name", name)] if name is not None else [])]


@pytest.mark.parametrize(
    ("method", "params", "name"),
    [
        ("tools/call", {"name": "cancel_task"}, "cancel_task"),
        ("tools/call", {"name": "löschen"}, sentinel("löschen")),
        ("tools/call", {"name": "cancel_task"}, sentinel("cancel_task")),
        ("tools/call", {"name": "=?base64?eA==?="}, sentinel("=?base64?eA==?=")),
        ("tools/call", {"name": " padded "}, sentinel(" padded ")),
        ("prompts/get", {"name": "explain"}, "explain"),
        ("resources/read", {"uri": "binja://b/1"}, "binja://b/1"),
        ("tasks/cancel", {"taskId": "t-1"}, "t-1"),
        ("tools/list", {}, None),
        ("server/discover", {}, None),
    ],
)
def test_headers_that_mirror_the_body_pass(method, params, name):
    """Equal headers pass, plain or in base64, for every kind of target; others may repeat."""
    check([("Accept", "a"), ("Accept", "b"), *mirrored(method, name)], modern(method, **params), Era.MODERN)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "Mcp-Method is missing"),
        ([("Mcp-Name", "danger")], "Mcp-Method is missing"),
        ([("Mcp-Method", "tools/call")], "Mcp-Name is missing"),
        (mirrored("tools/list", "danger"), "the method in the body differ"),
        (mirrored("TOOLS/CALL", "danger"), "the method in the body differ"),
        (mirrored("tools/call ", "danger"), "the method in the body differ"),
        (mirrored("tools/call", "safe"), "the name in the body differ"),
        (mirrored("tools/call", "Danger"), "the name in the body differ"),
        (mirrored("tools/call", "danger "), "the name in the body differ"),
        (mirrored("tools/call", ""), "the name in the body differ"),
        (mirrored("tools/call", sentinel("safe")), "the name in the body differ"),
        (mirrored("tools/call", "=?BASE64?ZGFuZ2Vy?="), "the name in the body differ"),
        (mirrored("tools/call", "=?base64?ZGFuZ2Vy"), "the name in the body differ"),
        (mirrored("tools/call", "=?base64?ZGFuZ2V?="), "broken base64"),
        (mirrored("tools/call", "=?base64?ZGFu Z2Vy?="), "broken base64"),
        (mirrored("tools/call", "=?base64?ZGFuZ2Vy====?="), "broken base64"),
        (mirrored("tools/call", "=?base64?/w==?="), "broken base64"),
        (mirrored("tools/call", "=?base64?é?="), "broken base64"),
        (mirrored("tools/call", "=?base64?\udcff?="), "broken base64"),
        (mirrored("tools/call", "=?base64?="), "broken base64"),
        (mirrored("tools/call", "=?base64?ZGFuZ2VyIR==?="), "broken base64"),
    ],
)
def test_headers_that_contradict_the_body_are_a_mismatch(headers, reason):
    """Missing, altered or wrongly encoded headers are refused by the code of the revision."""
    with pytest.raises(MismatchError, match=reason) as raised:
        check(headers, modern("tools/call", name="danger"), Era.MODERN)
    assert raised.value.code == HEADER_MISMATCH


def test_a_legacy_request_needs_no_headers():
    """Older revisions know none of them."""
    check([], call("cancel_task"), Era.LEGACY)
    check([], notification(), Era.LEGACY)


@pytest.mark.parametrize("headers", [mirrored("tools/list"), mirrored("tools/call", "safe"), [("Mcp-Name", "safe")]])
def test_a_legacy_request_is_held_to_those_it_has(headers):
    """A header that is there is compared in every era: somebody behind us might go by it."""
    with pytest.raises(MismatchError):
        check(headers, call("danger"), Era.LEGACY)


def test_a_name_for_what_has_none_is_a_mismatch():
    """A request that names nothing has no Mcp-Name."""
    with pytest.raises(MismatchError):
        check(mirrored("tools/list", "cancel_task"), request("tools/list"), Era.LEGACY)


def test_a_modern_notification_is_held_to_the_headers_it_has():
    """Mcp-Method is required of requests alone, and compared wherever it is."""
    check(mirrored("notifications/cancelled"), notification("notifications/cancelled"), Era.MODERN)
    check([], notification("notifications/cancelled"), Era.MODERN)
    with pytest.raises(MismatchError, match="differ"):
        check(mirrored("notifications/progress"), notification("notifications/cancelled"), Era.MODERN)


def test_a_method_that_the_revision_removed_needs_no_name():
    """What 2026-07-28 no longer has is answered by the server as unknown, whatever the headers lack."""
    check([("Mcp-Method", "tasks/result")], request("tasks/result", taskId="t"), Era.MODERN)


@pytest.mark.parametrize("header", [("Mcp-Method", "tools/call"), ("Mcp-Name", "x")])
def test_a_response_mirrors_nothing(header):
    """There is nothing in a response that such a header could repeat."""
    check([], response(), Era.LEGACY)
    with pytest.raises(MismatchError, match="response"):
        check([header], response(), Era.LEGACY)


def test_a_header_is_found_in_any_case():
    """Names are compared without case; an absent header is None, an empty one is empty."""
    headers = [("MCP-Protocol-Version", "2025-11-25"), ("Accept", "")]
    assert value_of(headers, "mcp-protocol-version") == "2025-11-25"
    assert value_of(headers, "accept") == ""
    assert value_of(headers, "mcp-name") is None


def test_only_what_carries_meaning_travels_on():
    """Credentials, cookies, addresses, hop-by-hop and look-alike headers of an agent stay behind."""
    kept = [
        ("MCP-Protocol-Version", "2026-07-28"), ("Mcp-Param-Region", "=?base64?w6k=?="), ("mcp-unknown", "1"),
        ("Last-Event-ID", "7"), ("Traceparent", "00-1"), ("tracestate", "a=b"),
    ]  # fmt: skip
    dropped = [
        ("Authorization", "Bearer x"), ("Cookie", "a=b"), ("Host", "evil"), ("Origin", "http://evil"), ("Via", "x"),
        ("Connection", "keep-alive"), ("Transfer-Encoding", "chunked"), ("Content-Length", "1"), ("TE", "trailers"),
        ("Accept-Encoding", "gzip"), ("X-Forwarded-For", "1.2.3.4"), ("Forwarded", "for=1"), ("X-Real-IP", "1.2.3.4"),
        ("X-Grant", "root"), ("X-Approved", "yes"), ("router-key", "k"), ("Mcp_Name", "safe"), ("X-Mcp-Name", "safe"),
        ("Mcp-Session-Id", "sealed"), ("MCP-SESSION-ID", "sealed"), ("Upgrade", "h2c"), ("Expect", "100-continue"),
        ("Proxy-Authorization", "Basic x"), ("X-HTTP-Method-Override", "DELETE"),
    ]  # fmt: skip
    assert forwarded([*dropped[:9], *kept, *dropped[9:]]) == kept


def test_only_what_agents_may_act_on_comes_back():
    """A server sets no cookie, sends nobody elsewhere and asks for no credential through us."""
    kept = [
        ("Content-Type", "text/event-stream"), ("cache-control", "no-store"), ("X-Accel-Buffering", "no"),
        ("Allow", "POST"), ("Retry-After", "3"), ("Mcp-Something", "1"),
    ]  # fmt: skip
    dropped = [
        ("Set-Cookie", "a=b"), ("Location", "http://169.254.169.254/"), ("WWW-Authenticate", "Bearer"),
        ("Mcp-Session-Id", "own"), ("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Content-Length", "9"),
        ("Content-Encoding", "gzip"), ("Refresh", "0;url=http://evil"), ("Access-Control-Allow-Origin", "*"),
        ("Server", "x"), ("Link", "<http://evil>"), ("Alt-Svc", "h3"),
    ]  # fmt: skip
    assert returned([*dropped, *kept]) == kept


def test_a_message_is_mirrored_as_an_agent_over_http_would():
    """The headers pass the comparison with the body, whatever the name is made of; older messages have none."""
    for name in ("cancel_task", "größe", " edge ", "=?base64?eA==?=", "x" * 128):
        message = modern("tools/call", name=name, arguments={})
        check(mcp_headers.mirrored(message), message, Era.MODERN)
    assert [name for name, _ in mcp_headers.mirrored(modern("tools/list"))] == ["mcp-protocol-version", "mcp-method"]
    for older in (call(), notification(), response()):
        assert mcp_headers.mirrored(older) == []


@pytest.mark.parametrize("text", ["", "plain", "a b", "~!", "=?utf-8?x?="])
def test_what_may_stand_in_a_header_is_left_as_it_is(text):
    """Encoding is for what readers would trim, split or decode."""
    assert encoded(text) == text


@pytest.mark.parametrize("text", [" a", "a ", "é", "a\r\nX: y", "\x7f", "=?base64?x", "\0"])
def test_what_may_not_is_encoded(text):
    """And reads as it was."""
    prefix, payload = encoded(text).removesuffix("?=").rsplit("?", 1)
    assert (prefix, base64.b64decode(payload).decode()) == ("=?base64", text)
