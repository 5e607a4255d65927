"""The answers that the page about `cancel_task` gives to its readers' questions, each held to its word.

The policies are what a reader would write after them: the rule of one tool, without a document around it.
"""

import itertools
import json
from typing import Any

import pytest
from aiohttp import web

from gateway.cli.main import main
from tests.functional.conftest import StartGateway
from tests.support.gateways import SEED_POLICY, RunningGateway, decision_of, is_allowed, tool_call
from tests.support.messages import request
from tests.support.upstream import ScriptedUpstream, rpc_result

TASK = {"task_id": "7"}
INITIALIZE = request("initialize", 0, protocolVersion="2025-11-25").body
RATE_LIMIT = {"rate_limit": {"max": 10, "window": 60}}


@pytest.fixture(autouse=True)
def sessions_of_its_own(upstream: ScriptedUpstream) -> None:
    """The server gives each session an id, and lists its tools on one page."""
    numbers = itertools.count(1)

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        match message:
            case {"method": "initialize"}:
                answer = server.default_answer(message)
                answer.headers["Mcp-Session-Id"] = f"session-{next(numbers)}"
                return answer
            case {"method": "tools/list"}:
                return rpc_result(message, {"tools": server.tools})
            case _:
                return server.default_answer(message)

    upstream.script = script


async def open_session(gateway: RunningGateway) -> str:
    """A session of an agent, by its id."""
    async with gateway.client.post(gateway.url, json=INITIALIZE, headers=gateway.headers()) as response:
        return response.headers["Mcp-Session-Id"]


async def call(gateway: RunningGateway, session_id: str, **arguments: Any) -> Any:
    """One call of `cancel_task` in a session."""
    message = tool_call("cancel_task", arguments or TASK)
    status, answer = await gateway.post(message, Mcp_Session_Id=session_id)
    assert status == 200
    return answer


@pytest.mark.parametrize(
    ("rule", "verdict"),
    [
        ({}, None),
        ({"action": "deny"}, "deny"),
        ({"limits": [{"counter": "rate", "window": "minute", "max": 1}]}, "throttle"),
        ({"action": "require_approval", "approval": {"hold": "0s"}}, "pending"),
    ],
    ids=["allow", "deny", "rate-limit", "require approval"],
)
async def test_add_a_rule_for_cancel_task_allow_deny_rate_limit_or_require_approval(
    start_gateway: StartGateway, upstream: ScriptedUpstream, rule: dict[str, Any], verdict: str | None
):
    """Each kind of rule is enforced on every call, before it reaches the server."""
    gateway = await start_gateway({"seed": {"tools": {"cancel_task": rule}}})
    answers = [await gateway.call("cancel_task", TASK, id=number) for number in range(3)]
    passed = [is_allowed(answer) for answer in answers]
    assert passed == {None: [True] * 3, "throttle": [True, False, False]}.get(verdict, [False] * 3)
    assert [decision_of(a)["verdict"] for a in answers if not is_allowed(a)] == [verdict] * passed.count(False)
    assert upstream.calls("cancel_task") == passed.count(True)


async def test_setting_max_10_and_window_60_limits_the_tool_to_10_calls_per_minute(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """A `rate_limit` block of the tool's rule lets ten calls pass and tells the eleventh how long to wait."""
    gateway = await start_gateway({"seed": {"cancel_task": RATE_LIMIT}})
    session_id = await open_session(gateway)
    for _ in range(10):
        assert is_allowed(await call(gateway, session_id))
    decision = decision_of(await call(gateway, session_id))
    assert (decision["verdict"], decision["rule"]) == ("throttle", "/tools/cancel_task/limits/cancel_task_rate")
    assert (decision["limit"], decision["retry_after_ms"]) == (10, 60_000)
    assert upstream.calls("cancel_task") == 10


async def test_rate_limits_are_tracked_per_agent_session_and_reset_automatically(start_gateway: StartGateway):
    """Another session of the same agent has its own ten, and after a minute the first may call again."""
    gateway = await start_gateway({"seed": {"cancel_task": RATE_LIMIT}})
    first, second = await open_session(gateway), await open_session(gateway)
    for _ in range(10):
        assert is_allowed(await call(gateway, first))
    assert not is_allowed(await call(gateway, first))
    assert is_allowed(await call(gateway, second))
    gateway.clock.advance(ns=60_000_000_000)
    assert is_allowed(await call(gateway, first))


async def test_the_agent_will_receive_a_policy_violation_error_and_cannot_call_the_tool(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """`action: deny` blocks the tool completely."""
    gateway = await start_gateway({"seed": {"cancel_task": {"action": "deny"}}})
    result = (await gateway.call("cancel_task", TASK))["result"]
    assert result["isError"] is True
    assert result["content"][0]["text"] == "[POLICY DENIED] cancel_task is not allowed by this policy."
    assert upstream.calls("cancel_task") == 0


async def test_you_can_also_include_a_reason_field_to_explain_why_the_tool_is_blocked(start_gateway: StartGateway):
    """The agent is told the policy's own reason."""
    rule = {"action": "deny", "reason": "Tasks are cancelled by people."}
    gateway = await start_gateway({"seed": {"cancel_task": rule}})
    refused = await gateway.call("cancel_task", TASK)
    assert decision_of(refused)["rule"] == "/tools/cancel_task/action"
    assert refused["result"]["content"][0]["text"] == "[POLICY DENIED] Tasks are cancelled by people."


async def test_execute_tools_should_be_rate_limited_and_have_argument_validation_enabled(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """With both, a call without its argument is refused for that, and spends none of the ten."""
    schema = {"type": "object", "properties": {"task_id": {"type": "string"}}, "required": ["task_id"]}
    upstream.tools = [{"name": "cancel_task", "description": "Cancel a running async task.", "inputSchema": schema}]
    gateway = await start_gateway({"seed": {"cancel_task": RATE_LIMIT | {"validate": {"required_args": True}}}})
    session_id = await open_session(gateway)
    assert is_allowed(await call(gateway, session_id))
    refused = decision_of(await call(gateway, session_id, other="x"))
    assert (refused["verdict"], refused["rule"]) == ("deny", "/tools/cancel_task/validate")
    for _ in range(9):
        assert is_allowed(await call(gateway, session_id))
    assert decision_of(await call(gateway, session_id))["verdict"] == "throttle"


def test_cancel_task_is_an_execute_tool_with_high_risk_provided_by_binassistmcp(capsys: pytest.CaptureFixture[str]):
    """The catalogue says so, and recommends the policy that the page shows."""
    assert main(["catalog", "show", "cancel_task", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["class"], shown["level"]) == ("Execute", "High")
    assert shown["recommended"]["tools"] == SEED_POLICY["tools"]


def test_44_binassistmcp_tools_catalogued_and_risk_classified(capsys: pytest.CaptureFixture[str]):
    """Each has a class, a level and a reason."""
    assert main(["catalog", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert len({entry["tool"] for entry in listed}) == 44
    assert all(entry["class"] and entry["level"] and entry["evidence"] for entry in listed)


async def test_everything_else_on_the_server_is_denied_unless_you_say_otherwise(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """The rule of one tool says nothing of others, so they are neither called nor listed."""
    gateway = await start_gateway({"seed": SEED_POLICY["tools"]})
    assert decision_of(await gateway.call("list_tasks"))["rule"] == "(default deny)"
    _, answer = await gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}})
    assert {tool["name"] for tool in answer["result"]["tools"]} == {"cancel_task"}
    assert upstream.calls("list_tasks") == 0
