"""What the server receives is what was judged, and what the agent receives is what the server sent."""

import contextlib
import json
import socket
from typing import Any

import orjson
import pydantic_core
import pytest
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.proxy import sink
from tests.functional.conftest import StartGateway
from tests.support.gateways import Forwarding, RunningGateway, is_allowed, tool_call
from tests.support.upstream import ScriptedUpstream, open_stream, rpc_result
from tests.support.waiting import eventually

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)
_REFERENCES: dict[str, Any] = {
    "resources/read": {"uri": "a://b"},
    "completion/complete": {"ref": {"type": "ref/prompt", "name": "p"}},
}
BODIES = st.builds(
    lambda method, id, arguments, meta: {
        "jsonrpc": "2.0",
        "id": id,
        "method": method,
        "params": {"name": "cancel_task", "arguments": arguments, "_meta": meta} | _REFERENCES.get(method, {}),
    },
    st.sampled_from(["tools/call", "prompts/get", "resources/read", "ping", "completion/complete"]),
    st.integers(-(2**53), 2**53) | TEXT,
    st.dictionaries(TEXT, VALUES, max_size=5),
    st.dictionaries(TEXT.filter(lambda key: not key.startswith("io.modelcontextprotocol/")), VALUES, max_size=2),
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=BODIES, is_ascii=st.booleans(), has_spaces=st.booleans())
def test_the_server_receives_exactly_what_was_judged(
    forwarding: Forwarding, body: dict[str, Any], is_ascii: bool, has_spaces: bool
):
    """Whatever accepted body is sent, every parser reads in the forwarded bytes what the gateway judged."""
    sent = json.dumps(body, ensure_ascii=is_ascii, indent=1 if has_spaces else None).encode()
    forwarded = forwarding.send(sent)
    # By their text, so that 1, 1.0 and true are three things and the order of members counts.
    judged = repr(orjson.loads(sent))
    assert repr(json.loads(forwarded)) == judged
    assert repr(pydantic_core.from_json(forwarded)) == judged
    assert repr(orjson.loads(forwarded)) == judged


async def test_answers_pass_byte_for_byte(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A JSON answer keeps its bytes, its status and its headers, but for cookies and locations."""
    body = b'{ "jsonrpc":"2.0", "id":1,  "result":{"content":[],"n":1.50,"dup":1} }'

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        headers = {"Set-Cookie": "a=b", "Location": "http://evil.example", "X-Accel-Buffering": "no"}
        return web.Response(body=body, content_type="application/json", headers=headers)

    upstream.script = script
    async with gateway.client.post(gateway.url, json=tool_call("cancel_task"), headers=gateway.headers()) as response:
        assert await response.read() == body
        assert response.headers["X-Accel-Buffering"] == "no"
        assert not {"Set-Cookie", "Location"} & response.headers.keys()


async def test_a_large_answer_streams_through(gateway: RunningGateway, upstream: ScriptedUpstream):
    """An answer of several megabytes arrives whole."""
    text = "x" * (5 << 20)

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return rpc_result(message, {"content": [{"type": "text", "text": text}]})

    upstream.script = script
    answer = await gateway.call()
    assert answer["result"]["content"][0]["text"] == text


async def test_an_answer_that_breaks_off_never_looks_whole(gateway: RunningGateway, upstream: ScriptedUpstream):
    """When the server dies in the middle of a short answer, the agent gets an `isError` result."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        response.content_length = 1000
        await response.prepare(request)
        await response.write(b'{"jsonrpc":"2.0","id":1,"result":{')
        assert request.transport is not None
        request.transport.abort()
        return response

    upstream.script = script
    answer = await gateway.call()
    assert answer["id"] == 1
    assert answer["result"]["isError"] is True
    assert gateway.records()[-1]["outcome"] == "failed"


async def test_redirects_and_challenges_of_the_server_stay_here(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A redirect, a 401 to us or a crash becomes a failed call, never an instruction to the agent."""
    for status in (302, 401, 403, 500, 503):

        async def script(_: ScriptedUpstream, request: web.Request, message: Any, status: int = status) -> web.Response:
            return web.Response(status=status, headers={"Location": "http://169.254.169.254/"})

        upstream.script = script
        answer = await gateway.call(grant="open")
        assert answer["result"]["isError"] is True
        assert str(status) in answer["result"]["content"][0]["text"]
    assert {received.method for received in upstream.received} == {"POST"}
    assert len(upstream.received) == 5


async def test_a_slow_server_times_out_with_an_answer(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """A server that does not answer in time becomes an `isError` result; the budget stays spent."""
    gateway = await start_gateway({"seed": {"version": "1", "default": "allow"}}, timeout="50ms")

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return web.Response()

    upstream.script = script
    answer = await gateway.call()
    assert answer["result"]["_meta"]["gateway.policy/decision"]["rule"] == "(upstream timeout)"
    assert gateway.records()[-1].get("rolled_back", False) is False


async def test_a_stream_that_fails_in_the_middle_ends_with_an_answer(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """A server that falls silent in an open stream is reported on that stream, with the request's id."""
    gateway = await start_gateway({"seed": {"version": "1", "default": "allow"}}, timeout="50ms")

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        await response.write(b": working\n\n")
        await server.released.wait()
        return response

    upstream.script = script
    async with gateway.client.post(
        gateway.url, json=tool_call("get_code", id="x"), headers=gateway.headers()
    ) as response:
        text = await response.text()
    comment, event = text.split("\n\n")[:2]
    assert comment == ": working"
    answer = json.loads(event.split("data: ")[1])
    assert answer["id"] == "x"
    assert not is_allowed(answer)


async def test_an_unreadable_list_is_not_passed_on(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A list that cannot be filtered is a failure, not a leak."""
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    for body, headers in (
        (b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"secret_tool"}', {}),
        (b'{"jsonrpc":"2.0","id":1,"result":{"tools":{"name":"secret_tool"}}}', {}),
        (b"\x1f\x8bsecret_tool", {"Content-Encoding": "gzip"}),
    ):

        async def script(
            _: ScriptedUpstream,
            request: web.Request,
            message: Any,
            body: bytes = body,
            headers: Any = headers,
        ) -> web.Response:
            return web.Response(body=body, headers={"Content-Type": "application/json", **headers})

        upstream.script = script
        status, answer = await gateway.post(request)
        assert (status, answer["error"]["code"]) == (200, -32603)
        assert "secret_tool" not in json.dumps(answer)


async def test_a_list_with_two_meanings_is_not_passed_on(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A server's answer with the same key twice could show an agent what the filter did not see."""
    body = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"secret_tool"}]},"result":{"x":1}}'

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return web.Response(body=body, content_type="application/json")

    upstream.script = script
    status, answer = await gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert (status, answer["error"]["code"]) == (200, -32603)
    assert "secret_tool" not in json.dumps(answer)


@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "application/problem+json", ""])
async def test_a_list_that_is_not_called_json_is_not_passed_on(
    gateway: RunningGateway, upstream: ScriptedUpstream, content_type: str
):
    """A list under another media type, or none, could be read by an agent all the same."""
    body = b'{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"secret_tool"}]}}'

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return web.Response(body=body, headers={"Content-Type": content_type})

    upstream.script = script
    _, answer = await gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})
    assert answer["error"]["code"] == -32603
    assert "secret_tool" not in json.dumps(answer)


@pytest.mark.parametrize("status", [101, 202, 204, 302, 401, 413, 429, 500])
async def test_an_answer_that_would_leave_an_agent_hanging_is_a_failure(
    gateway: RunningGateway, upstream: ScriptedUpstream, status: int
):
    """A call always gets an answer with its own id, whatever the server's status is."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return web.Response(status=status)

    upstream.script = script
    answer = await gateway.call(id="mine", grant="open")
    assert answer["id"] == "mine"
    assert answer["result"]["isError"] is True


async def test_an_answer_with_an_impossible_header_is_passed_on_without_it(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """A header that could not be written is the server's fault and nobody's loss."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": []}})
        assert request.transport is not None
        head = (
            f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nMcp-Odd: a\x01b\r\nContent-Length: {len(body)}\r\n"
        )
        request.transport.write(head.encode() + b"\r\n" + body)
        request.transport.close()
        return web.Response()

    upstream.script = script
    answer = await gateway.call()
    assert "result" in answer


async def test_an_agent_that_waits_for_the_go_ahead_gets_it(gateway: RunningGateway):
    """`Expect: 100-continue` is met once the headers are found good; any other expectation is 417."""
    assert is_allowed((await gateway.post(tool_call("cancel_task"), Expect="100-continue"))[1])
    status, _ = await gateway.post(tool_call("cancel_task"), Expect="a-miracle")
    assert status == 417


async def test_many_small_answers_to_a_silent_reader_do_not_pile_up(
    gateway: RunningGateway, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
):
    """An agent that pipelines calls and reads none of the answers is cut off; the rest is never forwarded."""
    monkeypatch.setattr(sink, "WRITE_TIMEOUT_S", 0.2)

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return rpc_result(message, {"content": [{"type": "text", "text": "x" * 60_000}]})

    upstream.script = script
    host, port = gateway.gateway.url.removeprefix("http://").split(":")
    body = orjson.dumps(tool_call("cancel_task"))
    headers = gateway.headers("open") | {"Host": "localhost", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    agent = socket.create_connection((host, int(port)))
    agent.setblocking(False)
    one = f"POST /mcp HTTP/1.1\r\n{head}\r\n".encode() + body
    sent = 0
    with contextlib.suppress(BlockingIOError):
        for _ in range(1000):
            sent += agent.send(one) == len(one)
    await eventually(lambda: not gateway.connections())
    agent.close()
    assert upstream.calls("cancel_task") < sent


async def test_a_tool_may_have_a_time_out_of_its_own(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """A slow tool is waited for longer than the rest of its server, and a quick one shorter."""
    policy = {"version": "1", "default": "allow"}
    gateway = await start_gateway({"seed": policy}, timeout="10s", tool_timeouts={"get_code": "50ms"})

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message["params"]["name"] == "get_code":
            await server.released.wait()
        return server.default_answer(message)

    upstream.script = script
    answer = await gateway.call("get_code")
    assert "did not answer within 0.05 s" in answer["result"]["content"][0]["text"]
    assert is_allowed(await gateway.call("list_tasks"))
