"""The endpoint's own part: which paths and methods there are, and that nothing is forwarded unrecorded."""

import errno
import json
import os
from pathlib import Path

import pytest

from tests.support.gateways import SEED_POLICY, RunningGateway, decision_of, is_allowed, tool_call, write_config
from tests.support.upstream import ScriptedUpstream


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "HEAD"])
async def test_other_methods_are_405_and_name_the_ones_there_are(gateway: RunningGateway, method: str):
    """Only POST, GET and DELETE exist; no preflight is answered."""
    async with gateway.client.request(method, gateway.url, headers=gateway.headers()) as response:
        assert response.status == 405
        assert response.headers["Allow"] == "POST, GET, DELETE"
        assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_short_path_is_for_one_server_alone(upstream: ScriptedUpstream, tmp_path: Path):
    """With two servers each has its own path, `/mcp` is nobody's, and a grant reaches its own server only."""
    path = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    document = json.loads(path.read_text())
    document["servers"]["second"] = {"url": upstream.url}
    path.write_text(json.dumps(document))
    gateway = RunningGateway(path)
    await gateway.start()
    base = gateway.gateway.url
    statuses = {}
    for name in ("/mcp", "/mcp/binassist", "/mcp/second"):
        gateway.url = base + name
        statuses[name] = (await gateway.post(tool_call("cancel_task")))[0]
    await gateway.stop()
    assert statuses == {"/mcp": 404, "/mcp/binassist": 200, "/mcp/second": 401}


async def test_a_call_that_cannot_be_recorded_is_refused_and_costs_nothing(
    gateway: RunningGateway, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
):
    """With the disk full no call is forwarded or spent; when there is room again, all ten pass."""

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr("gateway.audit.journal.os.write", full)
        for number in range(12):
            decision = decision_of(await gateway.call(id=number))
            assert (decision["verdict"], decision["rule"]) == ("error", "(audit unavailable)")
        assert (await gateway.client.get(gateway.url, headers=gateway.headers())).status == 503
    assert upstream.received == []
    answers = [await gateway.call(id=number) for number in range(11)]
    assert [is_allowed(answer) for answer in answers] == [True] * 10 + [False]


async def test_every_forwarded_call_is_recorded_before_it_arrives(gateway: RunningGateway, upstream: ScriptedUpstream):
    """When the server has a call, the journal has the decision that allowed it."""
    recorded = []

    async def script(server: ScriptedUpstream, request, message):
        recorded.append(gateway.records()[-1])
        return server.default_answer(message)

    upstream.script = script
    await gateway.call(arguments={"task_id": "secret-value", "a": 1})
    (record,) = recorded
    assert record["type"] == "decision"
    assert record["verdict"] == "allow"
    assert record["rule"] == "/tools/cancel_task"
    assert record["argument_keys"] == ["a", "task_id"]
    assert record["grant"] == "seed"
    decision, outcome = gateway.records()
    assert decision["id"] == outcome["id"]
    assert (outcome["outcome"], outcome["upstream_status"]) == ("completed", 200)
    assert "secret-value" not in json.dumps(gateway.records())


async def test_a_defect_of_ours_is_a_refusal(
    gateway: RunningGateway, upstream: ScriptedUpstream, monkeypatch: pytest.MonkeyPatch
):
    """Whatever raises before a decision is answered with 500 and recorded, and nothing is forwarded."""

    def broken(_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr("gateway.proxy.downstream.parse_message", broken)
    status, answer = await gateway.post(tool_call("cancel_task"))
    assert (status, answer["error"]["code"]) == (500, -32603)
    assert "a defect" not in answer["error"]["message"]
    assert upstream.received == []
    assert [record["reason"] for record in gateway.records()] == ["internal"]
