"""What is the same for every transport. The way through is shown in tests/functional."""

import pytest

from tests.support.gateways import RunningGateway, modern, tool_call
from tests.support.messages import request
from tests.support.upstream import ScriptedUpstream


async def test_a_response_outside_of_a_session_is_nobodys(gateway: RunningGateway, upstream: ScriptedUpstream):
    """F24: an agent answers only requests of its own session's, so one without a session is refused."""
    status, answer = await gateway.post({"jsonrpc": "2.0", "id": 1, "result": {}}, grant="open")
    assert (status, answer["error"]["code"]) == (400, -32600)
    assert upstream.received == []


@pytest.mark.parametrize("transport", ["GET", "listen"])
async def test_one_stream_too_many_is_refused_before_it_is_decided(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, transport: str
):
    """The refusal is the only record, for both kinds of stream that only listen."""
    monkeypatch.setattr("gateway.proxy.underway.MAX_STREAMS", 0)
    if transport == "GET":
        async with gateway.client.get(gateway.url, headers=gateway.headers()) as response:
            status = response.status
    else:
        message, headers = modern(request("subscriptions/listen", 1).body)
        status, _ = await gateway.post(message, **headers)
    assert status == 503
    assert [record["type"] for record in gateway.records()] == ["refusal"]


async def test_settling_is_bound_to_the_call(gateway: RunningGateway, upstream: ScriptedUpstream):
    """What a failed call gives back is its own spend, so that ten others still fit."""
    await upstream.stop()
    await gateway.call()
    await upstream.start(upstream.port)
    answers = [(await gateway.post(tool_call("cancel_task", id=number)))[1] for number in range(11)]
    assert ["isError" in answer["result"] for answer in answers] == [False] * 10 + [True]
