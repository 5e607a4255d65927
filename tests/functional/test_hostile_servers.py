"""Servers that answer something else than they were asked, too much, or not at all.

Each agent gets an answer, and the next is served. The items are those of the catalogue of bad inputs (security.md,
section F).
"""

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from tests.support.gateways import (
    ALLOW_ALL,
    SEED_POLICY,
    RunningGateway,
    is_allowed,
    tool_call,
    write_config,
    write_event,
)
from tests.support.upstream import Script, ScriptedUpstream, open_stream
from tests.support.waiting import eventually

ANSWER: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "result": {"content": [{"type": "text", "text": "mine"}]}}
NOT_THE_ANSWER: dict[str, bytes] = {
    "F68 no JSON": b"<html>done</html>",
    "F68 cut short": b'{"jsonrpc":"2.0","id":1,"result":{}',
    "F68 another's id": b'{"jsonrpc":"2.0","id":2,"result":{"content":[]}}',
    "F68 the id as text": b'{"jsonrpc":"2.0","id":"1","result":{"content":[]}}',
    "F68 an id never asked": b'{"jsonrpc":"2.0","id":"evil","result":{"content":[]}}',
    "F68 no id": b'{"jsonrpc":"2.0","result":{"content":[]}}',
    "F68 two replies": b'[{"jsonrpc":"2.0","id":1,"result":{}},{"jsonrpc":"2.0","id":1,"result":{}}]',
    "F68 a notification": b'{"jsonrpc":"2.0","method":"notifications/message","params":{}}',
    "F68 a request": b'{"jsonrpc":"2.0","id":1,"method":"sampling/createMessage","params":{}}',
    "F68 neither result nor error": b'{"jsonrpc":"2.0","id":1}',
    "F68 nothing": b"",
}


def says(body: bytes, content_type: str = "application/json") -> Script:
    """A server that says the same to everything."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        return web.Response(body=body, headers={"Content-Type": content_type})

    return script


def streams(*messages: dict[str, Any]) -> Script:
    """A server that answers with these events."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = await open_stream(request)
        for each in messages:
            await write_event(response, each)
        return response

    return script


async def messages_of(gateway: RunningGateway) -> list[Any]:
    """The messages that a call is answered with, as a stream."""
    async with gateway.client.post(gateway.url, json=tool_call("cancel_task"), headers=gateway.headers()) as response:
        text = await response.text()
    return [orjson.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


@pytest.mark.parametrize("body", NOT_THE_ANSWER.values(), ids=NOT_THE_ANSWER)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "without"])
async def test_what_is_not_the_answer_is_a_failure_of_the_server(
    gateway: RunningGateway, upstream: ScriptedUpstream, body: bytes, is_chunked: bool
):
    """F68: the agent gets an `isError` result with its own id, the record says why, and the next call is served."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        if not is_chunked:
            response.content_length = len(body)
        await response.prepare(request)
        await response.write(body)
        return response

    upstream.script = script
    answer = await gateway.call()
    assert (answer["id"], answer["result"]["isError"]) == (1, True)
    assert "may have run" in answer["result"]["content"][0]["text"]
    ended = gateway.records()[-1]
    assert (ended["outcome"], ended["rule"]) == ("failed", "(upstream broken)")
    upstream.script = None
    assert is_allowed(await gateway.call())


@pytest.mark.parametrize("content_type", ["text/html", "application/json-seq", ""])
async def test_an_answer_of_another_type_is_a_failure_of_the_server(
    gateway: RunningGateway, upstream: ScriptedUpstream, content_type: str
):
    """F68: whatever is in it."""
    upstream.script = says(orjson.dumps(ANSWER), content_type)
    assert (await gateway.call())["result"]["isError"] is True


async def test_answers_to_others_are_dropped_from_a_stream(
    gateway: RunningGateway, upstream: ScriptedUpstream, caplog: pytest.LogCaptureFixture
):
    """F68: of five replies the agent gets the one that is its own, and what the server asks and tells."""
    notice = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    question = {"jsonrpc": "2.0", "id": 1, "method": "roots/list"}
    others = [{**ANSWER, "id": id} for id in (2, "1", None)]
    upstream.script = streams(notice, *others, question, ANSWER, ANSWER)
    assert await messages_of(gateway) == [notice, question, ANSWER]
    assert [message.startswith("dropped") for message in caplog.messages] == [True]
    assert "mine" not in caplog.text
    assert gateway.records()[-1]["outcome"] == "completed"


async def test_a_stream_with_answers_to_others_alone_ends_with_one_of_ours(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """F68: the agent is not left without an answer, and the record says that the server failed."""
    upstream.script = streams({**ANSWER, "id": 2})
    (answer,) = await messages_of(gateway)
    assert (answer["id"], answer["result"]["isError"]) == (1, True)
    assert gateway.records()[-1]["rule"] == "(upstream broken)"


async def test_an_event_that_is_no_message_ends_the_stream(gateway: RunningGateway, upstream: ScriptedUpstream):
    """F68: what came before it has passed; an answer of ours follows, and nothing of the server's any more."""
    notice = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "x"}}
    upstream.script = streams(notice, {"jsonrpc": "2.0", "id": 1}, ANSWER)
    first, answer = await messages_of(gateway)
    assert first == notice
    assert (answer["id"], answer["result"]["isError"]) == (1, True)


@pytest.mark.parametrize(
    ("content_type", "method"),
    [("application/json", "tools/list"), ("text/event-stream", "tools/list"), ("text/event-stream", "tools/call")],
)
async def test_an_answer_without_an_end_is_cut_off(
    gateway: RunningGateway, upstream: ScriptedUpstream, content_type: str, method: str
):
    """F69: one line that goes on and on is read up to a bound; the agent is answered, and the server let go."""

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": content_type})
        await response.prepare(request)
        await response.write(b'data: {"jsonrpc":"2.0","id":1,"result":{"tools":["')
        while True:
            await response.write(b"x" * (1 << 20))

    upstream.script = script
    request = {**tool_call("cancel_task"), "method": method}
    async with (
        asyncio.timeout(60),
        gateway.client.post(gateway.url, json=request, headers=gateway.headers()) as response,
    ):
        text = (await response.text()).partition("data: ")
    answer = orjson.loads(text[2] or text[0])
    assert answer["id"] == 1
    assert "error" in answer or answer["result"]["isError"]
    await eventually(lambda: gateway.records()[-1].get("rule") == "(upstream broken)")
    upstream.script = None
    assert is_allowed(await gateway.call())


async def test_what_a_tool_says_of_itself_passes(gateway: RunningGateway, upstream: ScriptedUpstream):
    """F76: an error of the tool's, and structured content that fits nothing, are the agent's to judge."""
    result = {"content": [], "isError": True, "structuredContent": [1, {"not": "in the schema"}], "more": None}
    upstream.script = says(orjson.dumps({**ANSWER, "result": result}))
    assert (await gateway.call())["result"] == result
    assert gateway.records()[-1]["outcome"] == "completed"


async def test_a_server_that_comes_up_late_is_served_from_then_on(tmp_path: Path):
    """F77: the gateway starts and says that it is not ready; calls fail as the server's fault and cost nothing, and
    after a pause one of them is the trial that lets all the others through.
    """
    upstream = ScriptedUpstream()
    await upstream.start()
    await upstream.stop()
    gateway = RunningGateway(write_config(tmp_path, upstream.url, {"seed": SEED_POLICY, "open": ALLOW_ALL}))
    await gateway.start()
    try:
        for number in range(20):
            answer = await gateway.call(id=number)
            why = "cannot be reached" if number < 5 else "has failed again and again"
            assert why in answer["result"]["content"][0]["text"]
        assert await _ready(gateway) == 503
        await upstream.start(upstream.port)
        gateway.clock.advance(seconds=6)
        assert [is_allowed(await gateway.call(id=number)) for number in range(11)] == [True] * 10 + [False]
        assert await _ready(gateway) == 200
    finally:
        await gateway.stop()
        await upstream.stop()


async def _ready(gateway: RunningGateway) -> int:
    async with gateway.client.get(f"{gateway.admin_url}/readyz") as response:
        return response.status
