"""The policy language through the public door: scopes, concurrency, schemas, prompts, rounds, shadow, records."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.functional.conftest import StartGateway
from tests.support.gateways import RunningGateway, decision_of, is_allowed, modern, tool_call, write_config
from tests.support.upstream import ScriptedUpstream, rpc_result
from tests.support.waiting import eventually


def policy(**fields: Any) -> dict[str, Any]:
    """Everything is denied but what is named."""
    return {"version": "1", "default": "deny", **fields}


def limit(**fields: Any) -> dict[str, Any]:
    """Two calls a minute, changed by `fields`."""
    return {"counter": "c", "window": "minute", "max": 2, **fields}


async def session_of(gateway: RunningGateway, upstream: ScriptedUpstream, name: str, grant: str = "seed") -> str:
    """A session of the grant, which the server calls `name`."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        answer = server.default_answer(message)
        if "Mcp-Session-Id" in answer.headers:
            answer.headers["Mcp-Session-Id"] = name
        return answer

    upstream.script = script
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    async with gateway.client.post(gateway.url, json=message, headers=gateway.headers(grant)) as response:
        return response.headers["Mcp-Session-Id"]


async def test_a_limit_on_sessions_is_counted_in_each(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """Two sessions of one grant have two budgets; agents without a session share the grant's."""
    gateway = await start_gateway({"seed": policy(tools={"t": {"rate_limit": {"max": 2, "window": 60}}})})
    sessions = [await session_of(gateway, upstream, name) for name in ("one", "two")]
    for session in sessions:
        answers = [(await gateway.post(tool_call("t"), Mcp_Session_Id=session))[1] for _ in range(3)]
        assert [is_allowed(answer) for answer in answers] == [True, True, False]
        assert decision_of(answers[-1])["rule"] == "/tools/t/limits/t_rate"
    message, headers = modern(tool_call("t"))
    for expected in (True, True, False):
        # A session's id is of no use where the protocol has none.
        assert is_allowed((await gateway.post(message, **headers, Mcp_Session_Id=sessions[0]))[1]) is expected
    assert not is_allowed(await gateway.call("t"))


async def test_a_limit_on_the_server_is_counted_for_all_its_grants(upstream: ScriptedUpstream, tmp_path: Path):
    """Two grants of one policy spend together; by the server's own count, no more than the limit arrive."""
    shared = policy(tools={"t": {"limits": [limit(max=5, scope="server")]}})
    path = write_config(tmp_path, upstream.url, {"one": shared, "two": shared})
    document = json.loads(path.read_text())
    for grant in document["grants"]:
        grant["policy"] = "one"
    path.write_text(json.dumps(document))
    gateway = RunningGateway(path)
    await gateway.start()
    answers = await asyncio.gather(*(gateway.call("t", id=n, grant=("one", "two")[n % 2]) for n in range(20)))
    assert sum(is_allowed(answer) for answer in answers) == upstream.calls("t") == 5
    await gateway.stop()


async def waiting(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """Answers calls once the test lets it."""
    if message.get("method") == "tools/call":
        await server.released.wait()
    return server.default_answer(message)


async def hang_up(gateway: RunningGateway, upstream: ScriptedUpstream, message: Any, **headers: str) -> None:
    """Make a call, and leave once the server has it."""
    before = upstream.calls("t")
    sending = asyncio.get_running_loop().create_task(gateway.post(message, **headers))
    await eventually(lambda: upstream.calls("t") > before)
    sending.cancel()
    with contextlib.suppress(asyncio.CancelledError, aiohttp.ClientError):
        await sending


async def until_allowed(gateway: RunningGateway, arguments: dict[str, Any]) -> None:
    """Call until the call passes: what it waits for happens by the clock of the loop, or in another task."""
    async with asyncio.timeout(10):
        while not is_allowed(await gateway.call("t", arguments)):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_calling_and_hanging_up_does_not_beat_a_bound(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """A legacy agent's call runs on, and holds its place until the server has answered."""
    gateway = await start_gateway({"seed": policy(tools={"t": {"concurrency": 2}}, all_tools={"concurrency": 3})})
    upstream.script = waiting
    for number in range(2):
        await hang_up(gateway, upstream, tool_call("t", id=number))
    refused = await gateway.call("t", id=3)
    decision = decision_of(refused)
    assert (decision["verdict"], decision["rule"]) == ("throttle", "/tools/t/concurrency")
    assert "retry_after_ms" not in decision
    assert upstream.calls("t") == 2
    upstream.released.set()
    await eventually(lambda: [record.get("outcome") for record in gateway.records()].count("abandoned") == 2)
    assert is_allowed(await gateway.call("t", id=4))


async def test_a_cancelled_call_holds_its_place_until_its_time_out(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """A modern agent that leaves cancels the call, but nobody knows when a busy server will notice."""
    gateway = await start_gateway({"seed": policy(tools={"t": {"concurrency": 1}})}, tool_timeouts={"t": "700ms"})
    upstream.script = waiting
    message, headers = modern(tool_call("t"))
    await hang_up(gateway, upstream, message, **headers)
    await eventually(lambda: gateway.records()[-1].get("outcome") == "cancelled")
    assert decision_of(await gateway.call("t"))["rule"] == "/tools/t/concurrency"
    upstream.released.set()
    await until_allowed(gateway, {})


async def test_an_ended_call_frees_its_place_at_once(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """Answered, failed, or refused by its limits."""
    gateway = await start_gateway({"seed": policy(tools={"t": {"concurrency": 1, "limits": [limit(max=3)]}})})
    assert is_allowed(await gateway.call("t"))
    assert is_allowed(await gateway.call("t"))
    await upstream.stop()
    assert decision_of(await gateway.call("t"))["rule"] == "(upstream down)"
    await upstream.start(upstream.port)
    assert is_allowed(await gateway.call("t"))
    assert decision_of(await gateway.call("t"))["rule"] == "/tools/t/limits/c"


async def test_arguments_are_validated_by_the_servers_own_schema(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """The gateway lists the tools itself; until it has, and for what it does not find, such calls are denied."""
    schema = {"properties": {"n": {"type": "integer"}, "s": {"type": "string"}}, "required": ["n"]}
    upstream.tools = [{"name": "t", "inputSchema": schema}]

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message is not None and message.get("method") == "tools/list":
            await server.released.wait()
            return rpc_result(message, {"tools": server.tools})
        return server.default_answer(message)

    upstream.script = script
    required = policy(tools={"*": {"validate": {"required_args": True}}})
    whole = policy(tools={"t": {"validate": {"schema": True}}})
    gateway = await start_gateway({"seed": required, "whole": whole})
    assert decision_of(await gateway.call("t", {"n": 1}))["rule"] == "(schema unavailable)"
    upstream.released.set()
    await eventually(lambda: any(received.method == "DELETE" for received in upstream.received))
    await until_allowed(gateway, {"n": 1, "s": 5})
    assert decision_of(await gateway.call("t", {"n": "1"}))["rule"] == "/tools/*/validate"
    assert decision_of(await gateway.call("t", {"n": 1, "s": 5}, grant="whole"))["rule"] == "/tools/t/validate"
    assert decision_of(await gateway.call("u", {"n": 1}))["rule"] == "(schema unavailable)"


async def test_no_server_is_asked_for_schemas_that_no_policy_needs(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """Without `validate` the server hears from agents alone."""
    gateway = await start_gateway({"seed": policy(tools={"t": {}})})
    await gateway.call("t")
    assert [received.message["method"] for received in upstream.received] == ["tools/call"]


async def test_resources_and_prompts_are_listed_as_they_may_be_used(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """Reads, templates, prompts and completions are judged by one engine, and refused as JSON-RPC errors."""
    gateway = await start_gateway(
        {
            "seed": policy(
                resources={"a://*": {"limits": [limit(max=1)]}, "a://secret*": {"action": "deny"}},
                prompts={"review": {"deny_if": [{"conditions": [{"path": "args.x", "op": "exists", "value": True}]}]}},
            )
        }
    )

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        uris = ["a://b", "a://secret/{name}", "a://{name}", "b://c"]
        match message["method"]:
            case "resources/templates/list":
                return rpc_result(message, {"resourceTemplates": [{"uriTemplate": uri, "name": "n"} for uri in uris]})
            case "resources/list":
                return rpc_result(message, {"resources": [{"uri": uri, "name": "n"} for uri in uris]})
            case "prompts/list":
                return rpc_result(message, {"prompts": [{"name": "review"}, {"name": "other"}]})
            case _:
                return server.default_answer(message)

    upstream.script = script

    async def ask(method: str, **params: Any) -> Any:
        return (await gateway.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))[1]

    templates = (await ask("resources/templates/list"))["result"]["resourceTemplates"]
    assert [template["uriTemplate"] for template in templates] == ["a://b", "a://{name}"]
    resources = (await ask("resources/list"))["result"]["resources"]
    assert [resource["uri"] for resource in resources] == ["a://b", "a://{name}"]
    assert (await ask("prompts/list"))["result"]["prompts"] == [{"name": "review"}]
    assert "result" in await ask("resources/read", uri="a://b")
    limited = await ask("resources/read", uri="a://b")
    assert (limited["error"]["code"], decision_of(limited)["rule"]) == (42901, "/resources/a:~1~1*/limits/c")
    assert "result" in await ask("resources/subscribe", uri="a://b")
    assert decision_of(await ask("resources/subscribe", uri="a://secret/x"))["rule"].endswith("secret*/action")
    wanted = {"notifications": {"resourceSubscriptions": ["a://b", "a://secret/x"]}}
    listen, headers = modern({"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": wanted})
    assert decision_of((await gateway.post(listen, **headers))[1])["rule"].endswith("secret*/action")
    assert "result" in await ask("prompts/get", name="review", arguments={"y": "1"})
    denied = await ask("prompts/get", name="review", arguments={"x": "1"})
    assert (denied["error"]["code"], decision_of(denied)["rule"]) == (40301, "/prompts/review/deny_if/args.x-exists")
    completion = {"argument": {"name": "x", "value": "1"}}
    assert "result" in await ask("completion/complete", ref={"type": "ref/prompt", "name": "review"}, **completion)
    for reference in ({"type": "ref/prompt", "name": "other"}, {"type": "ref/resource", "uri": "a://secret/{name}"}):
        assert "error" in await ask("completion/complete", ref=reference, **completion)


async def test_only_a_round_that_was_asked_for_is_free(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """A modern call in two rounds spends once; a made-up, changed, repeated or stolen round is charged."""
    pair = policy(tools={"t": {"limits": [limit(max=2)]}})
    gateway = await start_gateway({"seed": pair, "other": pair})

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if "requestState" in message["params"]:
            return server.default_answer(message)
        return rpc_result(message, {"resultType": "input_required", "inputRequests": {}, "requestState": "s"})

    upstream.script = script

    async def call(arguments: dict[str, Any], state: str | None = None, grant: str = "seed") -> bool:
        message, headers = modern(tool_call("t", arguments))
        if state is not None:
            message["params"] |= {"requestState": state, "inputResponses": {}}
        return is_allowed((await gateway.post(message, grant, **headers))[1])

    assert await call({"a": 1})
    assert await call({"a": 1}, "s")
    assert await call({"a": 1})
    # Both units are spent now, and one round is open.
    assert not await call({"a": 1}, "made up")
    assert not await call({"a": 2}, "s")
    assert await call({"a": 1}, "s", "other")
    assert await call({"a": 1}, "s")
    assert not await call({"a": 1}, "s")
    assert await call({"a": 1}, "s", "other")
    assert not await call({"a": 1}, "s", "other")
    # The records tell which rounds were free, so that a replay can too.
    decisions = [record for record in gateway.records() if record["type"] == "decision"]
    assert [number for number, record in enumerate(decisions) if record.get("free")] == [1, 6]


async def test_shadow_rules_are_seen_in_records_and_metrics_alone(
    start_gateway: StartGateway, upstream: ScriptedUpstream
):
    """Nothing is refused; what would have been is in the record and the counter."""
    rules = {"deny_if": [{"conditions": [], "mode": "shadow"}], "limits": [limit(max=1, mode="shadow")]}
    gateway = await start_gateway({"seed": policy(tools={"t": rules})})
    for number in range(2):
        assert is_allowed(await gateway.call("t", id=number))
    decisions = [record for record in gateway.records() if record["type"] == "decision"]
    assert [record["shadow"] for record in decisions] == [
        {"/tools/t/deny_if/always": "deny"},
        {"/tools/t/deny_if/always": "deny", "/tools/t/limits/c": "throttle"},
    ]
    async with gateway.client.get(f"{gateway.admin_url}/metrics") as response:
        text = await response.text()
    assert 'mcp_gateway_shadow_total{rule="/tools/t/deny_if/always",would="deny"} 2.0' in text
    assert 'mcp_gateway_shadow_total{rule="/tools/t/limits/c",would="throttle"} 1.0' in text


async def test_kept_arguments_are_recorded_and_no_others(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """Of an allowed call and of a denied one."""
    ok = {"path": "args.ok", "op": "eq", "value": True}
    rules = {"audit": {"keep": ["args.file"]}, "require": [{"conditions": [ok]}]}
    gateway = await start_gateway({"seed": policy(tools={"t": rules})})
    await gateway.call("t", {"file": "a.bin", "ok": True, "secret": "canary"})
    await gateway.call("t", {"file": "b.bin", "ok": False, "secret": "canary"})
    kept = [record["kept"] for record in gateway.records() if record["type"] == "decision"]
    assert kept == [{"args.file": "a.bin"}, {"args.file": "b.bin"}]
    assert "canary" not in str(gateway.records())


@pytest.mark.parametrize(("sent", "passes"), [("safe", True), ("safe\n", False), ("x\nsafe", False), ("unsafe", False)])
async def test_an_anchored_pattern_is_anchored_to_the_text(
    start_gateway: StartGateway, upstream: ScriptedUpstream, sent: str, passes: bool
):
    """`^safe$` means the whole text, line ends included, in a rule and in a schema."""
    rules = {"require": [{"conditions": [{"path": "args.a", "op": "regex", "value": "^safe$"}]}]}
    schema = {"arguments": {"properties": {"a": {"pattern": "^safe$"}}}}
    gateway = await start_gateway({"seed": policy(tools={"t": rules, "u": schema})})
    assert is_allowed(await gateway.call("t", {"a": sent})) is passes
    assert is_allowed(await gateway.call("u", {"a": sent})) is passes


async def test_a_call_that_needs_approval_does_not_run_unasked(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """The agent is told that it waits for a person, and by which rule."""
    remove = {"path": "args.action", "op": "eq", "value": "remove"}
    asking = {"approve_if": [{"conditions": [remove]}], "approval": {"hold": 0}}
    gateway = await start_gateway({"seed": policy(tools={"t": asking})})
    answer = await gateway.call("t", {"action": "remove"})
    assert decision_of(answer)["rule"] == "/tools/t/approve_if/args.action-eq"
    assert decision_of(answer)["verdict"] == "pending"
    assert upstream.calls("t") == 0
    assert is_allowed(await gateway.call("t", {"action": "get"}))
