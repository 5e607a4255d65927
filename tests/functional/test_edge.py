"""What a gateway must refuse by itself, sent as bytes: each has its status, one record and one line in the log.

The items are those of the catalogue of bad inputs (security.md, section F; B and C are the sections before it).
"""

import logging
import re
from typing import Any

import orjson
import pytest

from gateway.proxy.refusals import TOLD_ONE_BY_ONE
from tests.support.gateways import RunningGateway
from tests.support.raw import CALL, RawAgent, post
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import eventually

CHUNKED: dict[str, Any] = {"Content_Length": None, "Transfer_Encoding": "chunked"}
EMPTY: dict[str, Any] = {"body": b"", "Content_Length": None}
MODERN = orjson.dumps(
    {
        **orjson.loads(CALL),
        "params": {
            "name": "cancel_task",
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
)
OF_2026: dict[str, Any] = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "tools/call", "Mcp_Name": "cancel_task"}
LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'

# What is sent, the status, and the reason in records and metrics.
REFUSED = {
    "B duplicate name": (post(body=CALL.replace(b'"name"', b'"name":"safe","name"')), 400, "duplicate_key"),
    "B UTF-16": (post(body=CALL.decode().encode("utf-16")), 400, "json"),
    "B byte order mark": (post(body=b"\xef\xbb\xbf" + CALL), 400, "json"),
    "B NaN": (post(body=CALL.replace(b"{}", b'{"a":NaN}')), 400, "json"),
    "B integer beyond 64 bits": (post(body=CALL.replace(b"{}", b'{"a":18446744073709551616}')), 400, "integer"),
    "B id true": (post(body=CALL.replace(b'"id":1', b'"id":true')), 400, "id"),
    "C GET with a body": (post("GET /mcp HTTP/1.1"), 400, "body"),
    "C DELETE with a body": (post("DELETE /mcp HTTP/1.1", body=b"2\r\n{}\r\n0\r\n\r\n", **CHUNKED), 400, "body"),
    "F36 name of another tool": (post(Mcp_Name="safe"), 400, "header_mismatch"),
    "F36 name given twice": (post(more=b"Mcp-Name: cancel_task\r\nmcp-name: safe\r\n"), 400, "duplicate_header"),
    "F37 another method": (post(Mcp_Method="tools/list"), 400, "header_mismatch"),
    "F37 no method": (post(body=MODERN, **OF_2026 | {"Mcp_Method": None}), 400, "header_mismatch"),
    "F38 encoded name without padding": (post(Mcp_Name="=?base64?Y2FuY2VsX3Rhc2s?="), 400, "header_mismatch"),
    "F38 encoded name of another tool": (post(Mcp_Name="=?base64?c2FmZQ==?="), 400, "header_mismatch"),
    "F39 version not in the body": (post(MCP_Protocol_Version="2026-07-28"), 400, "header_mismatch"),
    "F39 version not in the header": (post(body=MODERN), 400, "header_mismatch"),
    "F40 two tokens": (post(more=b"Authorization: Bearer token-seed\r\n"), 401, "unauthenticated"),
    "F40 two spaces": (post(Authorization="Bearer  token-seed"), 401, "unauthenticated"),
    "F40 a tab": (post(Authorization="Bearer\ttoken-seed"), 401, "unauthenticated"),
    "F40 a list": (post(Authorization="Bearer token-seed, Bearer x"), 401, "unauthenticated"),
    "F40 in the query": (post("POST /mcp?token=token-seed HTTP/1.1", Authorization=None), 404, "path"),
    "F41 empty": (post(Authorization="Bearer "), 401, "unauthenticated"),
    "F41 long": (post(Authorization=f"Bearer {'x' * 8000}"), 401, "unauthenticated"),
    "F41 not ASCII": (post(Authorization="Bearer tökén"), 401, "unauthenticated"),
    "F41 NUL": (post(Authorization="Bearer token-seed\0"), 400, "http"),
    "F42 of nobody": (post(Authorization="Bearer token-revoked"), 401, "unauthenticated"),
    "F43 foreign origin": (post(Origin="http://evil.example"), 403, "origin"),
    "F43 origin null": (post(Origin="null"), 403, "origin"),
    "F43 origin that resembles": (post(Origin="http://localhost.evil.example"), 403, "origin"),
    "F43 origin with a user": (post(Origin="http://127.0.0.1:80@evil.example"), 403, "origin"),
    "F44 foreign host": (post(Host="evil.example"), 421, "host"),
    "F44 foreign host, no such path": (post("POST /metrics HTTP/1.1", Host="evil.example"), 421, "host"),
    "F44 trailing dot": (post(Host="127.0.0.1."), 421, "host"),
    "F44 port tricks": (post(Host="127.0.0.1:80@evil.example"), 421, "host"),
    "F44 IPv6 of others": (post(Host="[::2]"), 421, "host"),
    "F44 absolute form": (post("POST http://evil.example/mcp HTTP/1.1"), 421, "target"),
    "F45 two lengths": (post(more=b"Content-Length: 3\r\n"), 400, "http"),
    "F45 length and chunks": (post(more=b"Transfer-Encoding: chunked\r\n"), 400, "http"),
    "F45 length with a sign": (post(Content_Length="+7"), 400, "http"),
    "F45 length in hex": (post(Content_Length="0x7"), 400, "http"),
    "F45 xchunked": (post(**CHUNKED | {"Transfer_Encoding": "xchunked"}), 400, "http"),
    "F45 gzip, chunked": (post(body=b"0\r\n\r\n", **CHUNKED | {"Transfer_Encoding": "gzip, chunked"}), 411, "length"),
    "F45 chunks in 1.0": (post("POST /mcp HTTP/1.0", body=b"0\r\n\r\n", **CHUNKED), 400, "http_version"),
    "F45 bare LF": (post().replace(b"\r\n", b"\n"), 400, "http"),
    "F45 bare CR": (post(more=b"X-A: a\rb\r\n"), 400, "http"),
    "F45 folded line": (post(more=b"X-A: a\r\n b\r\n"), 400, "http"),
    "F45 space before the colon": (post(more=b"X-A : a\r\n"), 400, "http"),
    "F45 NUL": (post(more=b"X-A: a\0b\r\n"), 400, "http"),
    "F46 chunk extensions and trailers": (
        post(body=b"2;a=b\r\n{}\r\n0\r\nAuthorization: Bearer token-seed\r\n\r\n", **CHUNKED),
        411,
        "length",
    ),
    "F46 chunks of one byte": (post(body=b"1\r\na\r\n" * 20_000 + b"0\r\n\r\n", **CHUNKED), 411, "length"),
    "F46 chunks that are none": (post(body=b"2\r\n{}\r\nzz\r\n", **CHUNKED), 400, "http"),
    "F47 gzip that is none": (post(Content_Encoding="gzip"), 415, "encoding"),
    "F47 gzip twice": (post(Content_Encoding="gzip, gzip"), 415, "encoding"),
    "F47 br": (post(Content_Encoding="br"), 415, "encoding"),
    "F48 no type": (post(Content_Type=None), 415, "media_type"),
    "F48 text": (post(Content_Type="text/plain"), 415, "media_type"),
    "F48 UTF-16": (post(Content_Type="application/json; charset=utf-16"), 415, "media_type"),
    "F48 multipart": (post(Content_Type="multipart/form-data; boundary=x"), 415, "media_type"),
    "F49 no Accept": (post(Accept=None), 406, "accept"),
    "F49 no Accept for a stream": (post("GET /mcp HTTP/1.1", Accept=None, **EMPTY), 406, "accept"),
    "F50 HTTP/0.9": (b"GET /mcp\r\n\r\n", 400, "http_version"),
    "F50 HTTP/1.0": (post("POST /mcp HTTP/1.0"), 400, "http_version"),
    "F50 HTTP/2.0": (post("POST /mcp HTTP/2.0"), 400, "http_version"),
    "F50 preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "http"),
    "F50 TLS": (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", 400, "http"),
    "F50 CONNECT": (post("CONNECT evil.example:443 HTTP/1.1", **EMPTY), 400, "target"),
    "F50 TRACE": (post("TRACE /mcp HTTP/1.1", **EMPTY), 405, "method"),
    "F50 small letters": (post("post /mcp HTTP/1.1"), 400, "http"),
    "F50 another method named": (post("PUT /mcp HTTP/1.1", X_HTTP_Method_Override="POST", **EMPTY), 405, "method"),
    "F51 websocket": (post(Upgrade="websocket", Connection="Upgrade"), 400, "upgrade"),
    "F51 h2c": (post(Upgrade="h2c", Connection="Upgrade, HTTP2-Settings", HTTP2_Settings="AA"), 400, "upgrade"),
    "F51 hop by hop": (post(Connection="authorization"), 400, "connection"),
    "F51 hop by hop, a mirror": (post(Connection="close, Mcp-Name", Mcp_Name="cancel_task"), 400, "connection"),
    "F52 escaped": (post("POST /%6dcp HTTP/1.1"), 404, "path"),
    "F52 double slash": (post("POST //mcp HTTP/1.1"), 404, "path"),
    "F52 dots": (post("POST /mcp/../admin HTTP/1.1"), 404, "path"),
    "F52 capitals": (post("POST /MCP HTTP/1.1"), 404, "path"),
    "F52 semicolon": (post("POST /mcp;x HTTP/1.1"), 404, "path"),
    "F52 escaped slash": (post("POST /mcp%2fbinassist HTTP/1.1"), 404, "path"),
    "F52 fragment": (post("POST /mcp#x HTTP/1.1"), 404, "path"),
    "F52 the other listener's": (post("GET /metrics HTTP/1.1", **EMPTY), 404, "path"),
    "F55 a header of 64 KiB": (post(X_A="a" * 65536), 400, "http"),
    "F55 200 headers": (post(more=b"".join(b"X-%d: a\r\n" % number for number in range(200))), 400, "http"),
    "F55 a target of 20 KB": (post(f"POST /{'a' * 20_000} HTTP/1.1"), 400, "http"),
    "F55 underscore": (post(more=b"Mcp_Name: safe\r\n"), 400, "underscore"),
    "F57 session of nobody": (post(Mcp_Session_Id="guessed"), 404, "session"),
    "F57 stream of nobody's session": (post("GET /mcp HTTP/1.1", Mcp_Session_Id="guessed", **EMPTY), 404, "session"),
    "F57 end of nobody's session": (post("DELETE /mcp HTTP/1.1", Mcp_Session_Id="guessed", **EMPTY), 404, "session"),
    "F58 resuming nobody's session": (
        post("GET /mcp HTTP/1.1", Mcp_Session_Id="guessed", Last_Event_ID="7", **EMPTY),
        404,
        "session",
    ),
    "F59 preflight": (
        post("OPTIONS /mcp HTTP/1.1", Origin="http://localhost", Access_Control_Request_Method="POST", **EMPTY),
        405,
        "method",
    ),
    "F67 a name of 1 MB": (post(body=CALL.replace(b"cancel_task", b"a" * 1_000_000)), 400, "name"),
    "G a body over the limit": (post(body=b" " * (2 << 20)), 413, "too_large"),
    "G an expectation": (post(Expect="200-ok"), 417, "expect"),
}

# After these the next bytes on the connection are as doubtful.
ENDS_THE_CONNECTION = {
    *("http", "http_version", "target", "duplicate_header", "underscore", "connection", "upgrade", "body"),
    *("length", "method"),
}


@pytest.mark.parametrize(("sent", "status", "reason"), REFUSED.values(), ids=REFUSED.keys())
async def test_it_is_refused_recorded_and_logged(
    gateway: RunningGateway,
    upstream: ScriptedUpstream,
    caplog: pytest.LogCaptureFixture,
    sent: bytes,
    status: int,
    reason: str,
):
    """The status with a JSON-RPC error; one record and one line of one exchange; nothing forwarded, nothing leaked."""
    caplog.set_level(logging.DEBUG, "gateway")
    async with RawAgent(gateway) as agent:
        agent.send(sent)
        answered = await agent.answer()
    assert answered.status == status
    assert answered.message["error"]["message"]
    assert answered.is_closed is (reason in ENDS_THE_CONNECTION)
    assert not any(name.startswith("access-control") for name in answered.headers)
    (record,) = gateway.records()
    assert (record["type"], record["status"], record["reason"]) == ("refusal", status, reason)
    (line,) = caplog.messages
    told = re.fullmatch(r"refused: id=(\S+) status=(\d+) reason=(\w+) peer=127\.0\.0\.1 server=(\w*)", line)
    assert told is not None
    assert told.groups() == (record["id"], str(status), reason, record["server"])
    assert "token" not in line + str(record).replace("bearer token", "")
    assert upstream.received == []


async def test_a_refusal_does_not_spend_the_budget(gateway: RunningGateway):
    """After every kind of refusal the ten calls of the minute are still there."""
    for sent, _, _ in REFUSED.values():
        async with RawAgent(gateway) as agent:
            agent.send(sent)
            await agent.answer()
    answers = [await gateway.call(id=number) for number in range(11)]
    assert ["isError" in answer["result"] for answer in answers] == [False] * 10 + [True]


async def test_a_thousand_strangers_are_summed_and_hold_nobody_up(
    gateway: RunningGateway, caplog: pytest.LogCaptureFixture
):
    """F56, F66: each of 1,000 pipelined requests gets its 401; log and journal get a few, and a sum after a minute."""
    async with RawAgent(gateway) as agent:
        agent.send(post(body=LIST, Authorization="Bearer wrong") * 1000)
        for number in range(1000):
            assert (await agent.answer()).status == 401
            if number == 500:
                assert "isError" not in (await gateway.call())["result"]
    assert [record["type"] for record in gateway.records()].count("refusal") == TOLD_ONE_BY_ONE
    assert [message.startswith("refused: ") for message in caplog.messages].count(True) == TOLD_ONE_BY_ONE
    gateway.clock.advance(seconds=60)
    await eventually(lambda: gateway.records()[-1]["type"] == "refusals")
    told = gateway.records()[-1]
    assert (told["peer"], told["reason"], told["count"]) == ("127.0.0.1", "unauthenticated", 1000 - TOLD_ONE_BY_ONE)
    assert caplog.messages[-1] == "refused 970 more in a minute: reason=unauthenticated peer=127.0.0.1"


async def test_who_an_agent_says_it_is_does_not_matter(gateway: RunningGateway):
    """F53: the peer in the record is the socket's."""
    spoofed = b"X-Forwarded-For: 10.1.1.1\r\nForwarded: for=10.1.1.1\r\nX-Real-IP: 10.1.1.1\r\n"
    async with RawAgent(gateway) as agent:
        agent.send(post(Authorization=None, more=spoofed))
        assert (await agent.answer()).status == 401
    assert gateway.records()[0]["peer"] == "127.0.0.1"


async def test_what_an_agent_writes_stays_out_of_the_log(
    gateway: RunningGateway, upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture
):
    """F67: line breaks, escapes and markup are one line of JSON in the journal, and nothing in the log."""
    caplog.set_level(logging.DEBUG, "gateway")
    evil = "</script>\u001b[31m\r\n{}\u2028"
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": "prompts/get", "params": {"name": evil}})
    async with RawAgent(gateway) as agent:
        agent.send(post(body=body))
        await agent.answer()
        agent.send(post(body=body.replace(b"prompts/get", b"evil\\u001b[31m\\n")))
        assert (await agent.answer()).message["error"]["code"] == -32601
    raw = (gateway.config.state_dir / "audit/journal.jsonl").read_bytes()
    assert all(line.startswith(b'{"type":"') and line.endswith(b'"}') for line in raw.splitlines())
    assert b"\x1b" not in raw
    assert "script" not in caplog.text
    assert "\x1b" not in caplog.text


async def test_one_connection_too_many_is_refused_and_the_others_are_served(
    gateway: RunningGateway,
):
    """F62: the newest is told to try again, and can when another has gone."""
    assert await gateway.reload(lambda document: document.update(bounds={"connections": 2}))
    async with RawAgent(gateway) as second:
        async with RawAgent(gateway) as first:
            for agent in (first, second):
                agent.send(post(body=LIST))
                assert (await agent.answer()).status == 200
            async with RawAgent(gateway) as third:
                refused = await third.answer()
            assert (refused.status, refused.headers["retry-after"], refused.is_closed) == (503, "1", True)
            assert gateway.records()[-1]["reason"] == "connections"
            first.send(post(body=LIST))
            assert (await first.answer()).status == 200
        await eventually(lambda: gateway.connections() == 1)
        async with RawAgent(gateway) as fourth:
            fourth.send(post(body=LIST))
            assert (await fourth.answer()).status == 200
