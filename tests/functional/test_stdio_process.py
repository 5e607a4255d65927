"""`gateway stdio` as agents spawn it: which gateway it comes to, what it says when there is no way in, how it ends."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support.agents import PYTHON_STDIO_AGENTS, Agent, Step, stdio_command, take
from tests.support.gateways import SEED_POLICY, is_allowed, modern, tool_call, write_config
from tests.support.processes import DemoProcess, GatewayProcess
from tests.support.stdio_agent import PipeAgent
from tests.support.waiting import eventually


@pytest.fixture
async def demo() -> AsyncIterator[DemoProcess]:
    """The embedded server, as a process."""
    async with DemoProcess() as process:
        yield process


@pytest.fixture
def config(demo: DemoProcess, tmp_path: Path) -> Iterator[Path]:
    """A configuration before it, whose grants have no token. What still runs by it at the end is stopped."""
    path = write_config(tmp_path, demo.url, {"seed": SEED_POLICY})
    document = json.loads(path.read_bytes())
    del document["grants"][0]["token_sha256"]
    document["grants"].append({"label": "late", "server": "binassist", "expires": "2020-01-01T00:00:00Z"})
    path.write_text(json.dumps(document))
    yield path
    for pid in background_gateways(path):
        os.kill(pid, signal.SIGTERM)


def background_gateways(config: Path) -> list[int]:
    """The processes that serve this configuration without having been asked to by a person."""
    found = []
    for directory in Path("/proc").iterdir():
        try:
            command = (directory / "cmdline").read_bytes() if directory.name.isdigit() else b""
        except OSError:
            continue
        if b"--stdio-only" in command and os.fsencode(config) in command:
            found.append(int(directory.name))
    return found


def call(id: int = 0) -> dict[str, Any]:
    """A call that the policy limits."""
    return tool_call("cancel_task", {"task_id": "none"}, id=id)


@pytest.mark.parametrize("agent", PYTHON_STDIO_AGENTS, ids=lambda agent: agent.name)
async def test_the_seeds_policy_with_an_official_client(demo: DemoProcess, config: Path, agent: Agent):
    """One tool is visible, ten calls pass, two are refused with the wait; a gateway came by itself."""
    step = {"do": "call_tool", "name": "cancel_task", "arguments": {"task_id": "none"}}
    steps: list[Step] = [{"do": "list_tools"}, *[step] * 12, {"do": "list_tools"}]
    account = await take(agent, json.dumps(stdio_command(config, "seed")), "", steps)
    assert account.exit_code == 0, account.errors
    tools, *calls, tools_after = account.seen
    assert tools == tools_after == {"tools": ["cancel_task"]}
    assert [seen["is_error"] for seen in calls] == [False] * 10 + [True] * 2
    assert await demo.calls("cancel_task") == 10


async def test_all_commands_come_to_one_gateway_and_it_ends_after_the_last(demo: DemoProcess, config: Path):
    """Started at once they share one process and its budget; when the last has left it ends by itself."""
    async with PipeAgent(config) as one, PipeAgent(config) as two, PipeAgent(config) as three:
        agents = (one, two, three)
        await asyncio.gather(*(agent.initialize() for agent in agents))
        (pid,) = background_gateways(config)
        assert os.getsid(pid) == pid
        answers = [await agent.ask(call(id)) for id in range(4) for agent in agents]
        assert [is_allowed(answer) for answer in answers] == [True] * 10 + [False] * 2
        for agent in agents:
            assert await agent.ended() == (0, b"", "")
        assert background_gateways(config) == [pid]
    await eventually(lambda: not background_gateways(config), seconds=20)
    assert not (config.parent / "state" / "stdio.sock").exists()
    assert "INFO gateway.cli.serve: stopping" in (config.parent / "state" / "stdio.log").read_text()
    assert await demo.calls("cancel_task") == 10
    async with PipeAgent(config) as agent:
        await agent.initialize()
        assert not is_allowed(await agent.ask(call()))


async def test_a_gateway_that_runs_is_used(config: Path):
    """`gateway serve` has the socket too, so that nothing else is started; when it stops, its agents are told."""
    async with GatewayProcess(config) as gateway, PipeAgent(config) as agent:
        await agent.initialize()
        assert is_allowed(await agent.ask(call()))
        assert background_gateways(config) == []
        assert await gateway.stop() == 0
        async with asyncio.timeout(10):
            assert await agent.process.wait() == 1
        _, rest, errors = await agent.ended()
        assert (rest, errors) == (b"", "the gateway has ended the session; its log and its audit journal say why\n")


async def test_a_dead_gateways_socket_is_no_obstacle(config: Path):
    """After SIGKILL the file is still there; the next command starts a gateway that takes its place."""
    async with GatewayProcess(config) as gateway:
        await gateway.kill()
    assert (config.parent / "state" / "stdio.sock").exists()
    async with PipeAgent(config) as agent:
        await agent.initialize()
        assert is_allowed(await agent.ask(call()))


@pytest.mark.parametrize(
    ("grant", "error"),
    [
        ("nobody", "no grant has the label 'nobody'; see `grants` in the configuration\n"),
        ("late", "the grant 'late' has expired; see its `expires` in the configuration\n"),
    ],
)
async def test_a_grant_that_is_not_there_is_told(config: Path, grant: str, error: str):
    """On standard error, with exit code 1; nothing is written where messages are expected."""
    async with GatewayProcess(config), PipeAgent(config, grant) as agent:
        assert await agent.ended() == (1, b"", error)


async def test_a_bad_configuration_is_told_at_once(config: Path):
    """Before any gateway is looked for or started."""
    bad = write_config(config.parent, "http://127.0.0.1:1/mcp", {"seed": SEED_POLICY}, timeout="soon")
    async with PipeAgent(bad) as agent:
        code, output, errors = await agent.ended()
    assert (code, output) == (1, b"")
    assert "/servers/binassist/timeout: " in errors
    assert not (config.parent / "state").exists()


async def test_a_gateway_that_does_not_start_is_quoted(config: Path):
    """What keeps it from starting is shown where the agent's user can see it."""
    state = config.parent / "state"
    state.mkdir(mode=0o700)
    (state / "counters").write_text("not a counter file")
    (state / "counters").chmod(0o600)
    async with PipeAgent(config) as agent:
        code, output, errors = await agent.ended()
    assert (code, output) == (1, b"")
    assert errors.startswith("the gateway did not start:\n")
    assert "not a counter file" in errors
    assert "stdio.log" in errors


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
async def test_a_command_that_is_killed_ends_its_session(demo: DemoProcess, config: Path, number: signal.Signals):
    """However it ends, the gateway ends what was done for it, and says nothing."""
    journal = config.parent / "state" / "audit" / "journal.jsonl"
    async with GatewayProcess(config), PipeAgent(config) as agent:
        await agent.initialize()
        agent.process.send_signal(number)
        assert await agent.ended() == (-number, b"", "")
        await eventually(lambda: b'"method":"DELETE"' in journal.read_bytes())


async def test_a_package_in_the_agents_directory_is_not_run(config: Path, tmp_path: Path):
    """Agents stand in directories of others; what is called `gateway` there is not taken for ours."""
    project = tmp_path / "project"
    (project / "gateway").mkdir(parents=True)
    (project / "gateway" / "__init__.py").write_text("raise SystemExit('not ours')")
    async with PipeAgent(config, cwd=project) as agent:
        await agent.initialize()
        assert is_allowed(await agent.ask(call()))


async def test_long_lines_pass_through_the_command(config: Path):
    """What is too long is refused by the gateway, and the messages around it pass, in both directions at once."""
    async with GatewayProcess(config), PipeAgent(config) as agent:
        listing, _ = modern({"jsonrpc": "2.0", "id": 0, "method": "tools/list"})
        lines = [orjson.dumps(listing | {"id": id}) for id in range(50)]
        await agent.send(*lines, b"x" * (3 << 20))
        answers = [await agent.message() for _ in range(51)]
        assert {answer["id"] for answer in answers} == {*range(50), None}
        assert await agent.ended() == (0, b"", "")
