"""Approvals through a running gateway: nothing runs that nobody approved, and what was approved runs once."""

import asyncio
import json
from pathlib import Path
from typing import Any

import orjson
import pytest

from gateway.cli.main import main
from gateway.store.approvals import Approvals
from gateway.store.database import Database
from tests.functional.conftest import StartGateway
from tests.support.agents import PYTHON_AGENTS, Agent, take
from tests.support.approvals import LIFETIME_NS, asking, unusable
from tests.support.gateways import (
    RunningGateway,
    decision_of,
    is_allowed,
    modern,
    tool_call,
    write_config,
)
from tests.support.processes import GatewayProcess
from tests.support.receiver import Receiver
from tests.support.sse_agent import INITIALIZE, SseAgent
from tests.support.stdio_agent import SocketAgent
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import eventually

LIMITS = [{"counter": "code", "window": "minute", "max": 2, "scope": "grant"}]
POLICY = asking(limits=LIMITS)
HOLDING = asking(hold="60s", limits=LIMITS)
LEGACY, MODERN = (
    next(agent for agent in PYTHON_AGENTS if agent.name == f"mcp 2.3.0 {era}") for era in ("legacy", "modern")
)
ARGUMENTS = {"name": "main", "options": {"depth": 1, "style": "c"}}


@pytest.fixture
async def gateway(start_gateway: StartGateway) -> RunningGateway:
    """A gateway that asks for approval of `get_code` and answers at once."""
    return await start_gateway({"seed": POLICY, "other": POLICY})


@pytest.fixture
async def holding(start_gateway: StartGateway) -> RunningGateway:
    """A gateway that holds such a call open for longer than a test takes."""
    return await start_gateway({"seed": HOLDING, "other": HOLDING})


async def call(gateway: RunningGateway, arguments: Any = ARGUMENTS, **more: Any) -> Any:
    return await gateway.call("get_code", arguments, **more)


async def pending(gateway: RunningGateway, **more: Any) -> str:
    """The id of the approval that a call waits for."""
    answer = await call(gateway, **more)
    decision = decision_of(answer)
    assert decision["verdict"] == "pending", answer
    return str(decision["approval"]["id"])


async def decide(gateway: RunningGateway, id: str, action: str = "approve", **body: Any) -> None:
    status, answer = await gateway.api("POST", f"approvals/{id}/{action}", **body)
    assert status == 200, answer


async def waiting(gateway: RunningGateway, count: int = 1) -> list[Any]:
    """What waits for a person, once it is this many."""
    found: list[Any] = []
    async with asyncio.timeout(10):
        while len(found) != count:
            found = (await gateway.api("GET", "approvals?state=pending"))[1]["approvals"]
    return found


async def test_an_agent_is_told_what_it_waits_for(gateway: RunningGateway, upstream: ScriptedUpstream):
    """An error result with the approval's id and expiry; nothing is forwarded; the same call finds the same."""
    answer = await call(gateway)
    decision = decision_of(answer)
    id = decision["approval"]["id"]
    assert answer["result"]["isError"] is True
    assert answer["result"]["content"][0]["text"] == (
        f"[APPROVAL PENDING] get_code needs a person's approval. It waits for a person as approval {id} until "
        "2027-01-15T08:10:00Z: repeat exactly the same call to have it run once it is approved."
    )
    assert decision["rule"] == "/tools/get_code/action"
    assert decision["approval"] == {"id": id, "expires": "2027-01-15T08:10:00Z"}
    gateway.clock.advance(seconds=60)
    assert decision_of(await call(gateway))["approval"] == decision["approval"]
    assert upstream.received == []
    asked, first, second = gateway.records()
    assert (asked["type"], asked["event"], asked["id"], asked["exchange"]) == ("approval", "asked", id, first["id"])
    assert [record["verdict"] for record in (first, second)] == ["pending"] * 2
    assert first["approval"] == second["approval"] == id


async def test_an_approved_call_runs_once(gateway: RunningGateway, upstream: ScriptedUpstream):
    """The record names approval and approver; the next such call asks again."""
    id = await pending(gateway)
    await decide(gateway, id, reason="looked at it")
    assert is_allowed(await call(gateway))
    assert await pending(gateway) != id
    assert upstream.calls("get_code") == 1
    approved, allowed = gateway.records()[2:4]
    assert (approved["event"], approved["id"], approved["approver"]) == ("approved", id, "admin")
    assert (allowed["verdict"], allowed["approval"], allowed["approver"]) == ("allow", id, "admin")


async def test_parallel_retries_execute_once(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Of eight at once after one approval one runs, the others are refused, and one call was spent."""
    await decide(gateway, await pending(gateway))
    answers = await asyncio.gather(*(call(gateway, id=number) for number in range(8)))
    assert [is_allowed(answer) for answer in answers].count(True) == 1
    assert upstream.calls("get_code") == 1
    await decide(gateway, await pending(gateway))
    assert is_allowed(await call(gateway))


@pytest.mark.parametrize(
    "same",
    ['{"options":{"style":"c","depth":1},"name":"main"}', '{"name":"main","options":{"depth":1.0,"style":"\\u0063"}}'],
)
async def test_the_same_call_in_other_words_is_the_same(gateway: RunningGateway, same: str):
    """The order of keys and the form of numbers need no new approval."""
    await decide(gateway, await pending(gateway))
    assert is_allowed(await call(gateway, json.loads(same)))


@pytest.mark.parametrize(
    "other",
    [
        {**ARGUMENTS, "name": "Main"},
        {**ARGUMENTS, "options": {"depth": 2, "style": "c"}},
        {**ARGUMENTS, "options": {"depth": "1", "style": "c"}},
        {**ARGUMENTS, "options": {"depth": True, "style": "c"}},
        {**ARGUMENTS, "more": None},
        {"name": "main"},
        {},
    ],
)
async def test_one_changed_byte_needs_another_approval(gateway: RunningGateway, upstream: ScriptedUpstream, other: Any):
    """So does another grant; what was approved stays for the call that it was given for."""
    id = await pending(gateway)
    await decide(gateway, id)
    assert await pending(gateway, arguments=other) != id
    assert await pending(gateway, grant="other") != id
    assert upstream.received == []
    assert is_allowed(await call(gateway))


async def test_a_denial_is_told_until_it_expires(gateway: RunningGateway, upstream: ScriptedUpstream):
    """With the person's reason, on every repeat; then one may ask again."""
    id = await pending(gateway)
    await decide(gateway, id, "deny", reason="Not on a Friday.")
    for _ in range(2):
        answer = await call(gateway)
        assert answer["result"]["content"][0]["text"] == (
            f"[POLICY DENIED] A person has denied approval {id} of this call: Not on a Friday."
        )
        assert decision_of(answer)["verdict"] == "deny"
    gateway.clock.advance(ns=LIFETIME_NS)
    assert await pending(gateway) != id
    assert upstream.received == []


async def test_an_expired_approval_runs_nothing(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Approved or not: after its time it is over, and the call asks again."""
    id = await pending(gateway)
    await decide(gateway, id)
    gateway.clock.advance(ns=LIFETIME_NS)
    assert await pending(gateway) != id
    status, answer = await gateway.api("POST", f"approvals/{id}/approve")
    assert (status, upstream.received) == (409, [])
    assert "expired" in answer["error"]


async def test_an_approval_waits_for_the_limit(gateway: RunningGateway, upstream: ScriptedUpstream):
    """Limits are spent when the call runs, not when it asks; a throttled call keeps its approval."""
    for number in range(2):
        await decide(gateway, await pending(gateway, arguments={"n": number}))
        assert is_allowed(await call(gateway, {"n": number}))
    id = await pending(gateway)
    await decide(gateway, id)
    answer = decision_of(await call(gateway))
    assert (answer["verdict"], answer["rule"]) == ("throttle", "/tools/get_code/limits/code")
    gateway.clock.advance(ns=answer["retry_after_ms"] * 1_000_000)
    assert is_allowed(await call(gateway))
    assert gateway.records()[-2]["approval"] == id
    assert upstream.calls("get_code") == 3


async def test_too_many_questions_are_refused(upstream: ScriptedUpstream, tmp_path: Path):
    """A grant has so many pending at once; the next call is denied with a message that says so."""
    path = write_config(tmp_path, upstream.url, {"seed": POLICY, "other": POLICY})
    path.write_text(json.dumps(json.loads(path.read_text()) | {"approvals": {"pending_per_grant": 2}}))
    gateway = RunningGateway(path)
    await gateway.start()
    first, _ = [await pending(gateway, arguments={"n": number}) for number in range(2)]
    answer = await call(gateway)
    assert decision_of(answer)["verdict"] == "deny"
    assert "2 calls of this grant wait for approval already" in answer["result"]["content"][0]["text"]
    assert await pending(gateway, arguments={"n": 0}) == first
    await pending(gateway, grant="other")
    await decide(gateway, first)
    await pending(gateway)
    await gateway.stop()


async def test_approved_while_it_is_held_it_goes_through(holding: RunningGateway, upstream: ScriptedUpstream):
    """Nothing is written to the agent meanwhile; the answer is the server's own. The wait is no work of ours."""
    body = orjson.dumps(tool_call("get_code", ARGUMENTS))
    host, port = holding.gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = "".join(f"{name}: {value}\r\n" for name, value in holding.headers().items())
    writer.write(f"POST /mcp HTTP/1.1\r\nHost: {host}\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    [approval] = await waiting(holding)
    holding.clock.advance(seconds=30)
    first = asyncio.ensure_future(reader.read(1))
    assert (first.done(), upstream.received) == (False, [])
    await decide(holding, approval["id"])
    answer = await first + await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"application/json" in answer
    assert upstream.calls("get_code") == 1
    writer.close()
    [allowed] = [record for record in holding.records() if record.get("verdict") == "allow"]
    assert allowed.get("decide_us", 0) == 0


async def test_a_held_call_hears_of_the_command_line(holding: RunningGateway, upstream: ScriptedUpstream):
    """`gateway approvals` writes to the file alone, and the gateway notices."""
    calling = asyncio.ensure_future(call(holding))
    [approval] = await waiting(holding)
    named = ["--state-dir", str(holding.config.state_dir), "--as", "zoe"]
    assert await asyncio.to_thread(main, ["approvals", "approve", approval["id"][:6], *named]) == 0
    assert is_allowed(await asyncio.wait_for(calling, 10))
    [allowed] = [record for record in holding.records() if record.get("verdict") == "allow"]
    assert allowed["approver"] == "zoe"


async def test_who_approved_is_recorded_before_the_call(gateway: RunningGateway):
    """Also where another process took the decision and the agent repeats its call at once."""
    id = await pending(gateway)
    named = ["--state-dir", str(gateway.config.state_dir), "--as", "zoe"]
    assert await asyncio.to_thread(main, ["approvals", "approve", id, *named]) == 0
    assert is_allowed(await call(gateway))
    records = [(record["type"], record.get("event") or record.get("verdict")) for record in gateway.records()]
    assert records == [
        ("approval", "asked"),
        ("decision", "pending"),
        ("approval", "approved"),
        ("decision", "allow"),
        ("outcome", None),
    ]


async def test_denied_while_it_is_held_it_is_refused(holding: RunningGateway, upstream: ScriptedUpstream):
    """At once, with the reason."""
    calling = asyncio.ensure_future(call(holding))
    [approval] = await waiting(holding)
    await decide(holding, approval["id"], "deny", reason="No.")
    assert "denied approval" in (await calling)["result"]["content"][0]["text"]
    assert upstream.received == []


@pytest.mark.parametrize("transport", ["streamable", "modern", "sse"])
async def test_a_call_that_nobody_waits_for_never_runs(
    holding: RunningGateway, upstream: ScriptedUpstream, transport: str
):
    """An agent that leaves while it is held leaves its question behind, and nothing more."""
    message = tool_call("get_code", ARGUMENTS)
    headers: dict[str, str] = {}
    if transport == "sse":
        agent = await SseAgent(holding).__aenter__()
        await agent.post(message)
        [approval] = await waiting(holding)
        agent.leave()
    else:
        if transport == "modern":
            message, headers = modern(message)
        calling = asyncio.ensure_future(holding.post(message, **headers))
        [approval] = await waiting(holding)
        calling.cancel()
    await eventually(lambda: any(record.get("verdict") == "pending" for record in holding.records()))
    assert await waiting(holding) == [approval]
    await decide(holding, approval["id"])
    assert is_allowed(await call(holding))
    assert upstream.calls("get_code") == 1


async def test_a_cancelled_call_does_not_run(holding: RunningGateway, upstream: ScriptedUpstream):
    """A legacy agent says so in its session; the call ends at once, and what is approved later waits for the next."""
    async with holding.client.post(holding.url, json=INITIALIZE, headers=holding.headers()) as response:
        session = {"Mcp_Session_Id": response.headers["Mcp-Session-Id"]}
    calling = asyncio.ensure_future(holding.post(tool_call("get_code", ARGUMENTS, id=7), **session))
    [approval] = await waiting(holding)
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    assert (await holding.post(cancelled, **session))[0] == 202
    assert decision_of((await asyncio.wait_for(calling, 10))[1])["verdict"] == "pending"
    await decide(holding, approval["id"])
    assert upstream.calls("get_code") == 0


@pytest.mark.parametrize("transport", ["stdio", "sse"])
async def test_a_call_cancelled_without_a_session_does_not_run(
    holding: RunningGateway, upstream: ScriptedUpstream, transport: str
):
    """Where the server has given none, the agent's stream tells whose call is meant; the server hears of it too."""
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    agent = SocketAgent(holding) if transport == "stdio" else SseAgent(holding)
    async with agent:
        say = agent.send if isinstance(agent, SocketAgent) else agent.post
        await say(tool_call("get_code", ARGUMENTS, id=7))
        [approval] = await waiting(holding)
        await say(cancelled | {"params": {"requestId": "7"}})
        assert await waiting(holding) == [approval]
        await say(cancelled)
        await eventually(lambda: any(record.get("verdict") == "pending" for record in holding.records()))
        await eventually(lambda: b'"requestId":7' in upstream.received[-1].body)
        await decide(holding, approval["id"])
        await say({"jsonrpc": "2.0", "id": 8, "method": "tools/list"})
        assert (await agent.message())["id"] == 8
    assert upstream.calls("get_code") == 0


async def test_a_question_is_sent_to_the_webhook(upstream: ScriptedUpstream, tmp_path: Path):
    """Which waits for nobody: the answer to the call is there whatever the receiver says."""
    receiver = Receiver()
    await receiver.start()
    path = write_config(tmp_path, upstream.url, {"seed": POLICY})
    webhook = {"url": receiver.url, "secret": "0123456789abcdef"}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"approvals": {"webhook": webhook}}))
    gateway = RunningGateway(path)
    await gateway.start()
    id = await pending(gateway)
    await eventually(lambda: receiver.requests)
    assert json.loads(receiver.requests[0][2])["id"] == id
    await gateway.stop()
    await receiver.stop()


async def test_an_agent_over_sse_gets_its_answer_on_its_stream(holding: RunningGateway):
    """Held, approved, answered, as over any other transport."""
    async with SseAgent(holding) as agent:
        await agent.post(tool_call("get_code", ARGUMENTS))
        [approval] = await waiting(holding)
        await decide(holding, approval["id"])
        assert is_allowed(await agent.message())


async def test_stopping_waits_for_no_person_and_loses_no_question(
    upstream: ScriptedUpstream, tmp_path: Path, monkeypatch
):
    """A held call is told that it is pending. Approved while no gateway runs, the call runs with the next, once."""
    path = write_config(tmp_path, upstream.url, {"seed": HOLDING})
    before = RunningGateway(path)
    await before.start()
    calling = asyncio.ensure_future(call(before))
    [approval] = await waiting(before)
    async with asyncio.timeout(3):
        stopping = asyncio.ensure_future(before.gateway.stop())
        assert decision_of(await calling)["approval"]["id"] == approval["id"]
        await stopping
    await before.client.close()
    assert main(["approvals", "approve", approval["id"], "--state-dir", str(tmp_path / "state")]) == 0
    after = RunningGateway(path)
    await after.start()
    await eventually(lambda: after.records()[-1].get("event") == "approved")
    assert upstream.received == []
    assert is_allowed(await call(after))
    assert upstream.calls("get_code") == 1
    await after.stop()


async def test_a_killed_gateway_loses_no_approval(upstream: ScriptedUpstream, tmp_path: Path):
    """With processes of their own: asked, killed, approved while nothing runs, and executed by the next, once."""
    path = write_config(tmp_path, upstream.url, {"seed": POLICY})
    step = {"do": "call_tool", "name": "get_code", "arguments": ARGUMENTS}
    async with GatewayProcess(path) as process:
        [asked] = (await take(MODERN, process.url, "token-seed", [step])).seen
        await process.kill()
    assert asked["text"].startswith("[APPROVAL PENDING]")
    database = Database.open(tmp_path / "state" / "gateway.db")
    [approval] = Approvals(database).listed(None, 0)
    database.close()
    assert main(["approvals", "approve", approval.id, "--config", str(path)]) == 0
    async with GatewayProcess(path) as process:
        ran, again = (await take(MODERN, process.url, "token-seed", [step, step])).seen
        assert await process.stop() == 0
    assert ran == {"is_error": False, "text": "done"}
    assert again["text"].startswith("[APPROVAL PENDING]")
    assert upstream.calls("get_code") == 1


async def test_a_rule_asks_about_some_calls_only(start_gateway: StartGateway, upstream: ScriptedUpstream):
    """`approve_if`: removing waits for a person, reading passes, and what could be either waits."""
    conditions = [{"path": "args.action", "op": "eq", "value": "remove"}]
    asks = {"approve_if": [{"conditions": conditions}], "approval": {"hold": "0s"}}
    gateway = await start_gateway({"seed": {"version": "1", "default": "deny", "tools": {"get_code": asks}}})
    assert is_allowed(await call(gateway, {"action": "get"}))
    for unclear in ("remove", ["remove"]):
        decision = decision_of(await call(gateway, {"action": unclear}))
        assert (decision["verdict"], decision["rule"]) == ("pending", "/tools/get_code/approve_if/args.action-eq")
    assert upstream.calls("get_code") == 1


async def test_a_changed_policy_forgets_what_was_approved(upstream: ScriptedUpstream, tmp_path: Path):
    """What was approved under other rules has to be asked again."""
    path = write_config(tmp_path, upstream.url, {"seed": POLICY})
    before = RunningGateway(path)
    await before.start()
    id = await pending(before)
    await decide(before, id)
    await before.stop()
    after = RunningGateway(write_config(tmp_path, upstream.url, {"seed": {**POLICY, "hide": ["list_tasks"]}}))
    await after.start()
    assert await pending(after) != id
    await after.stop()
    assert upstream.received == []


@pytest.mark.parametrize("agent", [LEGACY, MODERN], ids=lambda agent: agent.name)
async def test_official_clients_see_pending_and_then_success(
    start_gateway: StartGateway, upstream: ScriptedUpstream, agent: Agent
):
    """Of either era; the decision is made by `gateway approvals` in between."""
    gateway = await start_gateway({"seed": POLICY})
    step = {"do": "call_tool", "name": "get_code", "arguments": ARGUMENTS}
    [asked] = (await take(agent, gateway.url, "token-seed", [step])).seen
    assert asked["is_error"] is True
    assert asked["text"].startswith("[APPROVAL PENDING] get_code needs a person's approval.")
    [approval] = await waiting(gateway)
    state = ["--state-dir", str(gateway.config.state_dir)]
    assert await asyncio.to_thread(main, ["approvals", "approve", approval["id"], *state]) == 0
    ran, again = (await take(agent, gateway.url, "token-seed", [step, step])).seen
    assert ran == {"is_error": False, "text": "done"}
    assert again["text"].startswith("[APPROVAL PENDING]")
    assert upstream.calls("get_code") == 1


async def test_without_a_database_nothing_runs(gateway: RunningGateway, upstream: ScriptedUpstream):
    """What cannot be asked is refused, as a failure of ours."""
    with unusable(gateway.config.state_dir / "gateway.db"):
        answer = await call(gateway)
    assert decision_of(answer)["rule"] == "(internal error)"
    assert upstream.received == []
    await pending(gateway)
