"""The recommended policy for BinAssistMCP with official clients, before the embedded server."""

import json
from typing import Any

import pytest

from gateway.catalog import binassist
from gateway.catalog.recommend import server_policy
from gateway.catalog.survey import survey
from tests.support.agents import PYTHON_AGENTS, Agent, Step, take
from tests.support.gateways import write_config
from tests.support.processes import DemoProcess, GatewayProcess

FILE = "crackme.bin"
POLICY = server_policy(survey(binassist.TOOLS)) | {"all_tools": {"approval": {"hold": "1s"}}}


def call(tool: str, **arguments: Any) -> Step:
    """A step that calls a tool on the built-in binary."""
    return {"do": "call_tool", "name": tool, "arguments": {"filename": FILE, **arguments}}


def renames(number: int) -> list[dict[str, str]]:
    """So many renames of one function, each to another name."""
    return [{"address_or_name": "main" if n == 0 else f"main_{n - 1}", "new_name": f"main_{n}"} for n in range(number)]


@pytest.mark.parametrize("agent", [PYTHON_AGENTS[0], PYTHON_AGENTS[2]], ids=lambda agent: agent.label)
async def test_what_is_recommended_holds_for_a_real_client(agent: Agent, tmp_path):
    """Comments are read freely and removed with approval only; 5,000 renames are stopped, in a list or in a text."""
    steps = [
        call("comments", action="list"),
        call("comments", action="remove", address="0x401000"),
        call("batch_rename", renames=renames(5000)),
        call("batch_rename", renames=json.dumps(renames(5000))),
        call("batch_rename", renames=renames(2)),
        call("get_functions"),
    ]
    async with DemoProcess() as demo, GatewayProcess(write_config(tmp_path, demo.url, {"open": POLICY})) as gateway:
        account = await take(agent, gateway.url, "token-open", steps)
        read, removed, listed, written, few, functions = account.seen
        assert not read["is_error"]
        assert removed["is_error"]
        assert removed["text"].startswith("[APPROVAL PENDING] ")
        for flood in (listed, written):
            assert flood["is_error"]
            assert "At most 50 entries in renames in one call" in flood["text"]
        assert not few["is_error"]
        assert not functions["is_error"]
        assert (await demo.calls("comments"), await demo.calls("batch_rename")) == (1, 1)
