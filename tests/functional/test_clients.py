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
# The document of the seed's page, byte for byte.
SEED_POLICY_FILE = b"""\
{
  "version": "1",
  "default": "deny",
  "tools": {
    "cancel_task": {
      "limits": [
        {
          "counter": "cancel_task_rate",
          "window": "minute",
          "max": 10,
          "scope": "grant"
        }
      ]
    }
  }
}
"""

AGENTS = {
    "mcp 2, modern": (sys.executable, "agent_mcp2.py", "auto"),
    "mcp 2, legacy": (sys.executable, "agent_mcp2.py", "legacy"),
    "mcp 1": (str(ROOT / ".venv-clients/mcp1/bin/python"), "agent_mcp1.py"),
    "fastmcp 4": (str(ROOT / ".venv-clients/fastmcp4/bin/python"), "agent_fastmcp4.py"),
}


@pytest.fixture
async def demo() -> AsyncIterator[DemoProcess]:
    """The embedded server, as a process."""
    async with DemoProcess() as process:
        yield process


@pytest.mark.parametrize("agent", AGENTS.values(), ids=AGENTS.keys())
async def test_the_seeds_policy_with_an_official_client(demo: DemoProcess, tmp_path: Path, agent: tuple[str, ...]):
    """One tool is visible, ten calls pass, two are refused with the wait, and the session lives on."""
    (tmp_path / "cancel_task.json").write_bytes(SEED_POLICY_FILE)
    config = write_config(tmp_path, demo.url, {"seed": {"file": "cancel_task.json"}})
    async with GatewayProcess(config) as gateway:
        seen = await _what_it_sees(agent, gateway.url, "token-seed")
        assert await gateway.stop() == 0
    assert seen["tools"] == seen["tools_after"] == ["cancel_task"]
    assert [is_error for is_error, _ in seen["calls"]] == [False] * 10 + [True] * 2
    for _, text in seen["calls"][10:]:
        assert text.startswith("[POLICY DENIED] cancel_task is limited to 10 calls a minute. Try again in ")
    assert seen["other"] == [True, "[POLICY DENIED] list_binaries is not allowed by this policy."]
    assert await demo.calls("cancel_task") == 10


def test_the_catalogue_has_the_seeds_policy_unchanged():
    """What `make run` and the README start from is the document that is tested here."""
    assert (ROOT / "gateway" / "catalog" / "policies" / "cancel_task.json").read_bytes() == SEED_POLICY_FILE


async def test_the_demo_server_without_a_gateway_lets_everything_through(demo: DemoProcess):
    """The control: asked directly, the same server shows all 44 tools and refuses nothing."""
    seen = await _what_it_sees(AGENTS["mcp 2, modern"], demo.url, "any")
    assert len(seen["tools"]) == 44
    assert not any(is_error for is_error, _ in seen["calls"])
    assert await demo.calls("cancel_task") == 12


async def _what_it_sees(agent: tuple[str, ...], url: str, token: str) -> dict[str, Any]:
    """Put an agent through the scenario; what it printed."""
    python, script, *mode = agent
    process = await asyncio.create_subprocess_exec(
        *(python, str(CLIENTS / script), url, token, *mode), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    seen: dict[str, Any] = json.loads(output)
    return seen
