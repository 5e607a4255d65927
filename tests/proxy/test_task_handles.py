"""A task is its own grant's: ids seen in answers, and what happens to the others."""

from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.proxy import task_handles
from gateway.proxy.task_handles import TaskHandles, may_become_task
from tests.support.gateways import RunningGateway, modern
from tests.support.messages import request
from tests.support.upstream import ScriptedUpstream, rpc_result

EXTENSION: dict[str, Any] = {
    "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}
}


def test_the_first_to_be_given_an_id_keeps_it():
    """A server that gives one id to two grants gives the second nothing; other servers have ids of their own."""
    handles = TaskHandles()
    handles.learn("s", "alice", "t")
    handles.learn("s", "bob", "t")
    assert handles.owns("s", "alice", "t")
    assert not handles.owns("s", "bob", "t")
    assert not handles.owns("other", "alice", "t")
    assert not handles.owns("s", "alice", "unknown")


def test_only_the_latest_are_remembered(monkeypatch: pytest.MonkeyPatch):
    """The table is bounded; what it forgets belongs to nobody."""
    monkeypatch.setattr(task_handles, "MAX_TASKS", 2)
    handles = TaskHandles()
    for task_id in "abc":
        handles.learn("s", "alice", task_id)
    assert [handles.owns("s", "alice", task_id) for task_id in "abc"] == [False, True, True]


@pytest.mark.parametrize(
    ("params", "may"),
    [
        ({}, False),
        ({"task": {"ttl": 1}}, True),
        ({"_meta": EXTENSION}, True),
        ({"_meta": {"io.modelcontextprotocol/clientCapabilities": {"extensions": {}}}}, False),
        ({"_meta": {"io.modelcontextprotocol/clientCapabilities": []}}, False),
    ],
)
def test_a_call_may_become_a_task_when_the_agent_said_so(params: dict[str, Any], may: bool):
    """By asking for one (2025-11-25), or by the extension among its capabilities (2026-07-28)."""
    assert may_become_task(request("tools/call", name="x", **params)) is may


@pytest.mark.parametrize("is_modern", [False, True], ids=["2025-11-25", "2026-07-28"])
async def test_a_task_is_out_of_reach_for_other_grants(
    gateway: RunningGateway, upstream: ScriptedUpstream, is_modern: bool
):
    """Who was given the id uses the task; to others, also with everything allowed, it is unknown, and unlisted."""
    asked: list[str] = []

    async def script(_: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        asked.append(message["method"])
        if message["method"] == "tools/call":
            task = {"taskId": "t-1", "status": "working"}
            return rpc_result(message, {"resultType": "task", **task} if is_modern else {"task": task})
        if message["method"] == "tasks/list":
            return rpc_result(message, {"tasks": [{"taskId": "t-1"}, {"taskId": "t-2"}]})
        return rpc_result(message, {"taskId": "t-1", "status": "working"})

    upstream.script = script
    call = request("tools/call", name="cancel_task", arguments={}).body
    headers: dict[str, str] = {}
    if is_modern:
        call, headers = modern(call)
        call["params"]["_meta"] |= EXTENSION
    else:
        call["params"]["task"] = {"ttl": 1000}
    _, answer = await gateway.post(call, **headers)
    assert "t-1" in orjson.dumps(answer).decode()
    get = request("tasks/get", 2, taskId="t-1").body
    _, own = await gateway.post(get)
    _, foreign = await gateway.post(get, grant="open")
    _, unknown = await gateway.post(request("tasks/get", 2, taskId="t-2").body)
    assert own["result"]["taskId"] == "t-1"
    assert foreign["error"] == unknown["error"] == {"code": -32602, "message": "Unknown task"}
    _, listed = await gateway.post(request("tasks/list", 3).body)
    _, nothing = await gateway.post(request("tasks/list", 3).body, grant="open")
    assert (listed["result"]["tasks"], nothing["result"]["tasks"]) == ([{"taskId": "t-1"}], [])
    assert asked == ["tools/call", "tasks/get", "tasks/list", "tasks/list"]
