"""The seed's policy with the official clients, each in its own environment, before the embedded demo server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.agents import PYTHON_AGENTS, ROOT, Agent, Step, take
from tests.support.gateways import write_config
from tests.support.processes import DemoProcess, GatewayProcess

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

STEPS: list[Step] = [
    {"do": "list_tools"},
    *({"do": "call_tool", "name": "cancel_task", "arguments": {"task_id": "none"}} for _ in range(12)),
    {"do": "call_tool", "name": "list_binaries"},
    {"do": "list_tools"},
]


@pytest.fixture
async def demo() -> AsyncIterator[DemoProcess]:
    """The embedded server, as a process."""
    async with DemoProcess() as process:
        yield process


@pytest.mark.parametrize("agent", PYTHON_AGENTS, ids=lambda agent: agent.name)
async def test_the_seeds_policy_with_an_official_client(demo: DemoProcess, tmp_path: Path, agent: Agent):
    """One tool is visible, ten calls pass, two are refused with the wait, and the session lives on."""
    (tmp_path / "cancel_task.json").write_bytes(SEED_POLICY_FILE)
    config = write_config(tmp_path, demo.url, {"seed": {"file": "cancel_task.json"}})
    async with GatewayProcess(config) as gateway:
        account = await take(agent, gateway.url, "token-seed", STEPS)
        assert await gateway.stop() == 0
    assert account.exit_code == 0, account.errors
    tools, *calls, other, tools_after = account.seen
    assert tools == tools_after == {"tools": ["cancel_task"]}
    assert [call["is_error"] for call in calls] == [False] * 10 + [True] * 2
    for call in calls[10:]:
        assert call["text"].startswith("[POLICY DENIED] cancel_task is limited to 10 calls a minute. Try again in ")
    assert other == {"is_error": True, "text": "[POLICY DENIED] list_binaries is not allowed by this policy."}
    assert await demo.calls("cancel_task") == 10


def test_the_catalogue_has_the_seeds_policy_unchanged():
    """What `make run` and the README start from is the document that is tested here."""
    assert (ROOT / "gateway" / "catalog" / "policies" / "cancel_task.json").read_bytes() == SEED_POLICY_FILE


async def test_the_demo_server_without_a_gateway_lets_everything_through(demo: DemoProcess):
    """The control: asked directly, the same server shows all 44 tools and refuses nothing."""
    account = await take(PYTHON_AGENTS[0], demo.url, "any", STEPS)
    tools, *calls, _, _ = account.seen
    assert len(tools["tools"]) == 44
    assert not any(call["is_error"] for call in calls)
    assert await demo.calls("cancel_task") == 12
