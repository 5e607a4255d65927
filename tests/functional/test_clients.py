"""The seed's policy with the official clients, each in its own environment, before the embedded demo server."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateways import write_config
from tests.support.processes import DemoProcess, GatewayProcess

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
SEED_FILE = ROOT / "gateway" / "catalog" / "policies" / "cancel_task.json"

AGENTS = {
    "mcp 2, modern": (sys.executable, "agent_mcp2.py", "auto"),
    "mcp 2, legacy": (sys.executable, "agent_mcp2.py", "legacy"),
    "mcp 1": (str(ROOT / ".venv-clients/mcp1/bin/python"), "agent_mcp1.py"),
    "fastmcp 4": (str(ROOT / ".venv-clients/fastmcp4/bin/python"), "agent_fastmcp4.py"),
}


@pytest.fixture
async def demo() -> AsyncIterator[DemoProcess]:
    """The embedded server, as a process."""
    process = DemoProcess()
    await process.start()
    yield process
    await process.stop()


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS.keys())
async def test_the_seeds_policy_with_an_official_client(demo: DemoProcess, tmp_path: Path, agent: tuple[str, ...]):
    """One tool is visible, ten calls pass, two are refused with the wait, and the session lives on."""
    python, script, *mode = agent
    seed = json.loads(SEED_FILE.read_text())
    gateway = GatewayProcess(write_config(tmp_path, demo.url, {"seed": seed}))
    await gateway.start()
    process = await asyncio.create_subprocess_exec(
        *(python, str(CLIENTS / script), gateway.url, "token-seed", *mode), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    seen: dict[str, Any] = json.loads(output)
    assert seen["tools"] == seen["tools_after"] == ["cancel_task"]
    assert [is_error for is_error, _ in seen["calls"]] == [False] * 10 + [True] * 2
    for _, text in seen["calls"][10:]:
        assert text.startswith("[POLICY DENIED] cancel_task is limited to 10 calls a minute. Try again in ")
    assert seen["other"] == [True, "[POLICY DENIED] list_binaries is not allowed by this policy."]
    assert await demo.calls("cancel_task") == 10
    assert await gateway.stop() == 0


async def test_the_demo_server_without_a_gateway_lets_everything_through(demo: DemoProcess):
    """The control: asked directly, the same server shows all 44 tools and refuses nothing."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CLIENTS / "agent_mcp2.py"), demo.url, "any", "auto"), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    seen = json.loads(output)
    assert len(seen["tools"]) == 44
    assert not any(is_error for is_error, _ in seen["calls"])
    assert await demo.calls("cancel_task") == 12
