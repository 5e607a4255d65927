"""Bodies that two parsers could read differently: each refused clearly, recorded once, never forwarded."""

import pytest

from tests.support.gateways import RunningGateway
from tests.support.upstream import ScriptedUpstream

CALL = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"cancel_task","arguments":%s}}'

BAD_BODIES = {
    "duplicate name": b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
    b'"params":{"name":"list_binaries","name":"cancel_task","arguments":{}}}',
    "duplicate name, escaped": b'{"jsonrpc":"2.0","id":1,"method":"tools/call",'
    b'"params":{"name":"list_binaries","\\u006eame":"cancel_task","arguments":{}}}',
    "duplicate argument": (CALL % '{"a":{"b":1,"b":2}}').encode(),
    "UTF-16": (CALL % "{}").encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + (CALL % "{}").encode(),
    "batch": ("[" + CALL % "{}" + "]").encode(),
    "id null": (CALL % "{}").replace('"id":1', '"id":null').encode(),
    "id true": (CALL % "{}").replace('"id":1', '"id":true').encode(),
    "no id": (CALL % "{}").replace('"id":1,', "").encode(),
    "5,000 nested arrays": (CALL % ('{"a":' + "[" * 5000 + "]" * 5000 + "}")).encode(),
    "NaN": (CALL % '{"a":NaN}').encode(),
    "Infinity": (CALL % '{"a":1e999}').encode(),
    "integer beyond 64 bits": (CALL % '{"a":18446744073709551616}').encode(),
    "lone surrogate": (CALL % '{"a":"\\ud800"}').encode(),
    "trailing data": (CALL % "{}").encode() + b"{}",
    "empty": b"",
    "a name that only resembles": (CALL % "{}").replace('"method"', '"Method"').encode(),
    "argument outside of arguments": (CALL % '{},"task_id":"t"').encode(),
    "arguments of another type": (CALL % "[1]").encode(),
    "wrong jsonrpc": (CALL % "{}").replace('"2.0"', '"1.0"').encode(),
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_a_bad_body_is_refused_recorded_and_not_forwarded(
    gateway: RunningGateway, upstream: ScriptedUpstream, body: bytes
):
    """HTTP 400 with a JSON-RPC error; the server sees nothing, the journal one line, the budget stays whole."""
    status, answer = await gateway.post(body)
    assert status == 400
    assert answer["jsonrpc"] == "2.0"
    assert answer["error"]["code"] in (-32700, -32600, -32602)
    assert len(answer["error"]["message"]) > 20
    assert upstream.received == []
    (record,) = gateway.records()
    assert (record["type"], record["status"], record["grant"]) == ("refusal", 400, "seed")
    for number in range(10):
        assert "isError" not in (await gateway.call(id=number))["result"]


async def test_an_unknown_method_is_answered_and_not_forwarded(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A method that no revision knows gets -32601, whatever the case of its letters."""
    for method in ("TOOLS/CALL", "tools/call ", "tools/call\u0000", "debug/everything"):
        status, answer = await gateway.post({"jsonrpc": "2.0", "id": 5, "method": method}, grant="open")
        assert (status, answer["id"], answer["error"]["code"]) == (200, 5, -32601)
    assert upstream.received == []


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Mcp_Method": "tools/list"}, -32020),
        ({"Mcp_Name": "list_tasks"}, -32020),
        ({"MCP_Protocol_Version": "2026-07-28"}, -32602),
    ],
)
async def test_headers_that_contradict_the_body_are_refused(
    gateway: RunningGateway, upstream: ScriptedUpstream, headers: dict[str, str], code: int
):
    """The body decides, and a header that says otherwise is HTTP 400."""
    body = (CALL % "{}").encode()
    status, answer = await gateway.post(body, **headers)
    assert (status, answer["error"]["code"], answer["id"]) == (400, code, 1)
    assert upstream.received == []
