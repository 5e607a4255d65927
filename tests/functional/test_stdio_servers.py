"""Servers that are a command, before agents of every kind: official ones, and one that does whatever is bad."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from gateway.proxy import process_pipes, shared_session
from gateway.proxy.stdio_upstream import StdioUpstream
from tests.support import commands
from tests.support.gateways import (
    ALLOW_ALL,
    SEED_POLICY,
    RunningGateway,
    decision_of,
    is_allowed,
    modern,
    tool_call,
    write_config,
)
from tests.support.session_agent import SessionAgent, next_message
from tests.support.sse_agent import INITIALIZE, SseAgent
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]
POLICIES = {
    "seed": SEED_POLICY,
    "other": SEED_POLICY,
    "open": ALLOW_ALL,
    "friend": ALLOW_ALL,
    "rated": {**SEED_POLICY, "default": "allow"},
}
SCRIPTED = list(commands.SCRIPTED)
MCP1 = [str(ROOT / ".venv-clients/mcp1/bin/python"), str(ROOT / "tests/clients/server_mcp1.py"), "stdio"]
MCP2 = [sys.executable, str(ROOT / "tests/clients/server_mcp2.py")]
LIST = {"jsonrpc": "2.0", "id": 3, "method": "tools/list"}

Start = Callable[..., Awaitable[RunningGateway]]


@pytest.fixture
async def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """Starts gateways before commands. When they have stopped, no process and no descriptor is left."""
    monkeypatch.setattr(process_pipes, "STOP_S", 0.3)
    children, descriptors = children_of(os.getpid()), open_descriptors()
    started: list[RunningGateway] = []

    async def begin(command: list[str], **server: Any) -> RunningGateway:
        config = write_config(tmp_path, None, POLICIES, command=command, **{"timeout": "20s", **server})
        gateway = RunningGateway(config)
        await gateway.start()
        started.append(gateway)
        return gateway

    yield begin
    for gateway in started:
        await gateway.stop()
    await eventually(lambda: children_of(os.getpid()) <= children)
    await eventually(lambda: open_descriptors() <= descriptors)


def children_of(pid: int) -> set[int]:
    """The processes that this one has started, and those that they have, zombies included."""
    children = set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid:
                    children |= {int(folder.name)} | children_of(int(folder.name))
    return children


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def way_of(gateway: RunningGateway) -> StdioUpstream:
    """The gateway's way to the server."""
    way = gateway.gateway.relay("binassist").upstream
    assert isinstance(way, StdioUpstream)
    return way


def text_of(answer: Any) -> str:
    """What a call came to."""
    text: str = answer["result"]["content"][0]["text"]
    return text


async def ask(gateway: RunningGateway, tool: str, *, grant: str = "open", id: Any = 1, token: Any = None) -> Any:
    """A call of an agent of 2026-07-28; its answer."""
    message, headers = modern(tool_call(tool, id=id))
    if token is not None:
        message["params"]["_meta"]["progressToken"] = token
    return await SessionAgent(gateway, grant).post(message, **headers)


@contextlib.asynccontextmanager
async def connected(gateway: RunningGateway, grant: str, mode: Any) -> AsyncIterator[Client]:
    """The official client, connected."""
    headers = {"Authorization": f"Bearer token-{grant}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http_client,
        Client(streamable_http_client(gateway.url, http_client=http_client), mode=mode) as client,
    ):
        yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("command", [MCP1, MCP2], ids=["mcp 1.30.0", "mcp 2.3.0"])
async def test_the_seeds_policy_with_official_servers(start: Start, command: list[str], mode: str):
    """One tool is visible, ten calls pass, two are refused with the wait, another is denied; it all goes on."""
    gateway = await start(command)
    async with connected(gateway, "seed", mode) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["cancel_task"]
        results = [await client.call_tool("cancel_task", {"task_id": "t"}) for _ in range(12)]
        assert [result.is_error for result in results] == [False] * 10 + [True] * 2
        assert results[9].content[0].text == "call 10 for t"
        assert results[-1].content[0].text.startswith("[POLICY DENIED] cancel_task is limited to 10 calls a minute.")
        assert (await client.call_tool("analyse", {})).is_error
        assert [tool.name for tool in (await client.list_tools()).tools] == ["cancel_task"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("command", [MCP1, MCP2], ids=["mcp 1.30.0", "mcp 2.3.0"])
async def test_progress_reaches_the_official_client(start: Start, command: list[str], mode: str):
    """Under the token that the client chose, in both eras."""
    seen: list[float] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(progress)

    async with connected(await start(command), "open", mode) as client:
        analysed = await client.call_tool("analyse", {}, progress_callback=on_progress)
        assert analysed.content[0].text == "analysed"
        await eventually(lambda: seen == [0, 1, 2])


async def test_a_subscription_of_the_official_server(start: Start):
    """It is acknowledged and told of a change under the agent's own id, and ends when the agent leaves."""
    gateway = await start(MCP2)
    listen = {"jsonrpc": "2.0", "id": "sub", "method": "subscriptions/listen"}
    message, headers = modern(listen | {"params": {"notifications": {"toolsListChanged": True}}})
    stream = await gateway.client.post(gateway.url, json=message, headers=gateway.headers("open", **headers))
    first = await next_message(stream)
    assert first["method"] == "notifications/subscriptions/acknowledged"
    assert first["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "sub"}
    assert is_allowed((await ask(gateway, "add_tool"))[1])
    changed = await next_message(stream)
    assert changed["method"] == "notifications/tools/list_changed"
    assert changed["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "sub"}
    (shared,) = way_of(gateway)._shared.values()
    stream.close()
    await eventually(lambda: not shared.is_busy)


async def test_a_modern_agent_that_leaves_cancels_the_call(start: Start, caplog: pytest.LogCaptureFixture):
    """The server is told with `notifications/cancelled`, which it obeys."""
    caplog.set_level("INFO")
    gateway = await start(MCP2)
    message, headers = modern(tool_call("wait", {"seconds": 60}))
    calling = asyncio.ensure_future(SessionAgent(gateway, "open").post(message, **headers))
    await eventually(lambda: "standard error: waiting" in caplog.text)
    calling.cancel()
    await asyncio.wait([calling])
    await eventually(lambda: "standard error: cancelled" in caplog.text)
    await eventually(lambda: gateway.records()[-1].get("outcome") == "cancelled")


async def test_what_the_process_is_given(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Its arguments as they are written, a folder relative to the file, and of our environment only what is named."""
    monkeypatch.setenv("GATEWAY_SECRET", "ours")
    monkeypatch.setenv("LC_TIME", "C")
    (tmp_path / "inside").mkdir()
    gateway = await start([*SCRIPTED, "a b", "$HOME;*"], env={"SERVER_KEY": "theirs", "TERM": "none"}, cwd="inside")
    agent = await SessionAgent(gateway, "open").initialize()
    seen = orjson.loads(text_of((await agent.post(tool_call("report")))[1]))
    assert seen["argv"][1:] == ["a b", "$HOME;*"]
    assert seen["cwd"] == str(tmp_path / "inside")
    assert seen["asked"] == tool_call("report")
    env = seen["env"]
    assert (env["SERVER_KEY"], env["TERM"], env["LC_TIME"]) == ("theirs", "none", "C")
    # The C library of Python sets this one itself.
    inherited = {"PATH", "HOME", "LANG", "TMPDIR", "USER", "LOGNAME", "SHELL", "TERM", "SERVER_KEY", "LC_CTYPE"}
    assert {name for name in env if not name.startswith("LC_")} <= inherited


async def test_each_session_has_a_process_of_its_own(start: Start):
    """Ended with DELETE, and with the agent's stream where the agent is one of 2024-11-05."""
    gateway = await start(SCRIPTED)
    first, second = [await SessionAgent(gateway, "open").initialize() for _ in range(2)]
    texts = [text_of((await agent.post(tool_call("count")))[1]) for agent in (first, second, first)]
    assert [text.split(" in ")[0] for text in texts] == ["call 1", "call 1", "call 2"]
    async with SseAgent(gateway, "open") as old:
        await old.initialize()
        assert text_of(await old.ask(tool_call("count"))).startswith("call 1 in ")
        assert len(way_of(gateway).table) == 3
    assert await first.leave() == 200
    assert (await first.post(LIST))[0] == 404
    await eventually(lambda: len(way_of(gateway).table) == 1)
    assert (await second.post(LIST))[0] == 200


async def test_a_grant_without_sessions_has_one_process(start: Start):
    """Agents with equal ids and tokens get their own answers; another grant's have another process."""
    gateway = await start(SCRIPTED)
    told = await asyncio.gather(*(ask(gateway, "progress", id=7, token="t") for _ in range(20)))
    assert {answer["id"] for _, answer in told} == {7}
    assert len({text_of(answer) for _, answer in told}) == 20
    counted = [text_of((await ask(gateway, "count", grant=grant))[1]) for grant in ("open", "open", "friend")]
    assert [text.split(" in ")[0] for text in counted] == ["call 1", "call 2", "call 1"]
    assert len(way_of(gateway).table) == 2


@pytest.mark.parametrize("tool", ["garbage", "binary", "flood_errors", "flood_notes", "unasked", "twice"])
async def test_a_server_that_says_too_much(start: Start, tool: str):
    """The call is answered all the same, in both eras, and so is the next."""
    gateway = await start(SCRIPTED)
    agent = await SessionAgent(gateway, "open").initialize()
    for _ in range(2):
        assert is_allowed((await agent.post(tool_call(tool)))[1])
        assert is_allowed((await ask(gateway, tool))[1])
    assert text_of((await agent.post(tool_call("count")))[1]).startswith("call 1 ")


@pytest.mark.parametrize("tool", ["half", "huge", "die", "fork", "escape"])
async def test_a_server_that_ends_in_the_middle_of_a_call(start: Start, tool: str):
    """The call fails at once and is not given back, the session is lost, and the next one works."""
    gateway = await start(SCRIPTED)
    gateway.clock.advance(seconds=10)
    agent = await SessionAgent(gateway, "open").initialize()
    assert is_allowed((await ask(gateway, "count"))[1])
    gateway.clock.advance(seconds=10)
    async with asyncio.timeout(10):
        for _, answer in (await agent.post(tool_call(tool)), await ask(gateway, tool)):
            assert answer["result"]["isError"] is True
            assert decision_of(answer)["rule"] == "(upstream broken)"
            assert "rolled_back" not in gateway.records()[-1]
    assert (await agent.post(LIST))[0] == 404
    assert is_allowed((await (await agent.initialize()).post(tool_call("count")))[1])
    assert is_allowed((await ask(gateway, "count"))[1])


async def test_a_call_that_is_never_answered(start: Start, caplog: pytest.LogCaptureFixture):
    """It times out, the server is told, and the session goes on."""
    caplog.set_level("INFO")
    gateway = await start(SCRIPTED, tool_timeouts={"silent": "50ms"})
    agent = await SessionAgent(gateway, "open").initialize()
    assert is_allowed((await ask(gateway, "count"))[1])
    for _, answer in (await agent.post(tool_call("silent", id="s")), await ask(gateway, "silent", id="s")):
        assert decision_of(answer)["rule"] == "(upstream timeout)"
    await eventually(lambda: 'cancelled "s"' in caplog.text)
    await eventually(lambda: "cancelled 3" in caplog.text)
    assert is_allowed((await agent.post(tool_call("count")))[1])
    assert is_allowed((await ask(gateway, "count"))[1])


async def test_a_server_that_reads_nothing_any_more(start: Start):
    """What does not fit into its pipe times out without having run, and is given back; the process is ended."""
    gateway = await start(SCRIPTED, timeout="500ms")
    agent = await SessionAgent(gateway, "rated").initialize()
    assert text_of((await agent.post(tool_call("deaf")))[1]) == "deaf from now on"
    gateway.clock.advance(seconds=10)
    large = {"text": "x" * 500_000}
    calls = [agent.post(tool_call("cancel_task", large, id=id)) for id in range(3)]
    answers = [answer for _, answer in await asyncio.gather(*calls)]
    assert {decision_of(answer)["rule"] for answer in answers} <= {"(upstream timeout)", "(upstream broken)"}
    assert [record["rolled_back"] for record in gateway.records()[-3:]] == [True] * 3
    await eventually(lambda: len(way_of(gateway).table) == 0)
    assert is_allowed((await (await agent.initialize()).post(tool_call("count")))[1])


async def test_a_server_that_ignores_being_stopped(start: Start):
    """It is killed, in the end, whether its session or the gateway ends."""
    gateway = await start(SCRIPTED)
    before = children_of(os.getpid())
    for _ in range(2):
        agent = await SessionAgent(gateway, "open").initialize()
        assert text_of((await agent.post(tool_call("stubborn")))[1]) == "stubborn from now on"
    assert await agent.leave() == 200
    await eventually(lambda: len(children_of(os.getpid()) - before) == 1)


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["./no-such-program"], "there is no program ./no-such-program"),
        (["no-such-program-anywhere"], "there is no program no-such-program-anywhere"),
        ([*SCRIPTED, "exit"], "ended before"),
        ([*SCRIPTED, "mute"], "in time"),
    ],
)
async def test_a_server_that_does_not_start(
    start: Start, command: list[str], reason: str, monkeypatch: pytest.MonkeyPatch
):
    """Agents of both eras are told at once, nothing is spent, and it is not tried again for a while."""
    monkeypatch.setattr(shared_session, "START_S", 0.5)
    gateway = await start(command, timeout="500ms")
    _, answer = await SessionAgent(gateway).post(INITIALIZE)
    assert reason in answer["error"]["message"]
    await eventually(lambda: len(way_of(gateway).table) == 0)
    _, answer = await ask(gateway, "cancel_task", grant="seed")
    assert "not started again yet" in answer["result"]["content"][0]["text"]
    gateway.clock.advance(seconds=0.5)
    _, answer = await ask(gateway, "cancel_task", grant="seed")
    assert decision_of(answer)["rule"] == "(upstream down)"
    assert gateway.records()[-1]["rolled_back"] is True
    await eventually(lambda: len(way_of(gateway).table) == 0)
    assert await readiness(gateway) == 503


async def test_ready_is_when_the_program_can_be_started(start: Start):
    """Nothing is started to find out; while a failure is waited out, it is not ready."""
    gateway = await start(SCRIPTED)
    before = children_of(os.getpid())
    assert await readiness(gateway) == 200
    assert children_of(os.getpid()) == before
    agent = await SessionAgent(gateway, "open").initialize()
    await agent.post(tool_call("die"))
    await eventually(lambda: len(way_of(gateway).table) == 0)
    assert await readiness(gateway) == 503
    gateway.clock.advance(seconds=0.5)
    assert await readiness(gateway) == 200


async def readiness(gateway: RunningGateway) -> int:
    """The status of /readyz."""
    async with gateway.client.get(f"{gateway.admin_url}/readyz") as response:
        return response.status


async def test_the_process_idle_longest_makes_room(start: Start):
    """Processes are capped, those of sessions and of grants together; one in use is never ended for another."""
    gateway = await start(SCRIPTED)
    way_of(gateway).table.most = 2
    assert is_allowed((await ask(gateway, "count"))[1])
    first, second = [await SessionAgent(gateway, "open").initialize() for _ in range(2)]
    assert way_of(gateway)._shared == {}
    streams = [await agent.listen() for agent in (first, second)]
    _, answer = await ask(gateway, "count")
    assert "sessions already" in text_of(answer)
    streams[1].close()
    await eventually(lambda: is_idle(gateway))
    assert is_allowed((await ask(gateway, "count"))[1])
    assert (await second.post(LIST))[0] == 404
    streams[0].close()


def is_idle(gateway: RunningGateway) -> bool:
    """Whether some session of the server's is in nobody's use."""
    return any(not session.is_busy for session in way_of(gateway).table._sessions.values())


async def test_idle_processes_end(start: Start):
    """After a while, of both eras."""
    gateway = await start(SCRIPTED)
    way_of(gateway).table.idle_s = 0.2
    agent = await SessionAgent(gateway, "open").initialize()
    assert is_allowed((await ask(gateway, "count"))[1])
    await eventually(lambda: len(way_of(gateway).table) == 0)
    assert (await agent.post(LIST))[0] == 404
    assert is_allowed((await ask(gateway, "count"))[1])


async def test_another_grants_session_is_not_there(start: Start):
    """Ids are bound to their grant here as for any server."""
    gateway = await start(SCRIPTED)
    agent = await SessionAgent(gateway, "open").initialize()
    stolen = SessionAgent(gateway, "other")
    stolen.session = agent.session
    assert (await stolen.post(LIST))[0] == 404
    assert await stolen.leave() == 404
    assert (await agent.post(LIST))[0] == 200


async def test_agents_of_2026_before_a_server_without_it(start: Start):
    """They are told what makes them initialize, and whoever does not initialize that they should."""
    gateway = await start([*SCRIPTED, "legacy"])
    status, answer = await SessionAgent(gateway).post(LIST)
    assert (status, answer["error"]["code"]) == (400, -32600)
    message, headers = modern({"jsonrpc": "2.0", "id": 1, "method": "server/discover"})
    status, answer = await SessionAgent(gateway, "open").post(message, **headers)
    assert (status, answer["error"]["code"]) == (404, -32601)
    status, answer = await ask(gateway, "count")
    assert (status, answer["error"]["code"]) == (400, -32022)


async def test_an_error_of_a_modern_server_has_its_status(start: Start):
    """As the transport of 2026-07-28 wants it: 404 for a method that the server does not have."""
    gateway = await start(SCRIPTED)
    message, headers = modern({"jsonrpc": "2.0", "id": "p", "method": "prompts/list"})
    status, answer = await SessionAgent(gateway, "open").post(message, **headers)
    assert (status, answer["id"], answer["error"]["code"]) == (404, "p", -32601)
