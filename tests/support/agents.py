"""The official client libraries as agents: each a script in tests/clients, run in an environment of its own."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.mcp.versions import Era

Step = dict[str, Any]
"""What an agent is to do, as tests/clients/scenario.py understands it."""

ROOT: Final = Path(__file__).parents[2]

# An agent gives up on a step after 15 s, and none has so many that fail.
_TIMEOUT_S: Final = 90


class Agent(msgspec.Struct, frozen=True):
    """One client library, in one of its modes."""

    name: str
    runtime: str
    script: str
    more: tuple[str, ...] = ()
    """Arguments of the script, after the URL and the token."""
    era: Era = Era.LEGACY
    """What it talks to a server that knows both."""
    directory: Path = ROOT
    """Where it runs: a script for Node looks for its packages there."""
    path: str = "/mcp"
    """What it connects to."""

    @property
    def label(self) -> str:
        """The name, as a grant may be called."""
        return self.name.replace(" ", "-")


class Account(msgspec.Struct, frozen=True):
    """What an agent has told about its steps."""

    seen: list[dict[str, Any]]
    """For each step, until the agent ended; `failed` says why there is nothing else."""
    exit_code: int
    errors: str
    """What it wrote to standard error."""


def _python(environment: str) -> str:
    return str(ROOT / ".venv-clients" / environment / "bin" / "python")


# `make clients` installs what these need.
PYTHON_AGENTS: Final = (
    Agent("mcp 1.30.0", _python("mcp1"), "agent_mcp1.py", ("http",)),
    Agent("mcp 1.30.0 sse", _python("mcp1"), "agent_mcp1.py", ("sse",), path="/sse"),
    Agent("mcp 2.3.0 legacy", sys.executable, "agent_mcp2.py", ("legacy", "http")),
    Agent("mcp 2.3.0 sse", sys.executable, "agent_mcp2.py", ("legacy", "sse"), path="/sse"),
    Agent("mcp 2.3.0 modern", sys.executable, "agent_mcp2.py", ("auto", "http"), Era.MODERN),
    Agent("fastmcp 4.1.2", _python("fastmcp4"), "agent_fastmcp4.py", (), Era.MODERN),
)


def node_agents(node: str, install: Path) -> tuple[Agent, ...]:
    """The agents that need `node`, a Node of at least 22.19, and the packages that `make node` puts in `install`."""
    return (
        Agent("sdk 1.32.2", node, "agent_sdk1.mjs", ("http",), directory=install),
        Agent("sdk 1.32.2 sse", node, "agent_sdk1.mjs", ("sse",), directory=install, path="/sse"),
        Agent("client 2.4.0 legacy", node, "agent_client2.mjs", ("legacy",), directory=install),
        Agent("client 2.4.0 modern", node, "agent_client2.mjs", ("auto",), Era.MODERN, install),
        Agent("Inspector 2.12.0 cli", sys.executable, "agent_inspector.py", (node, "cli"), directory=install),
        Agent("Inspector 2.12.0 mcpdo", sys.executable, "agent_inspector.py", (node, "mcpdo"), Era.MODERN, install),
    )


async def take(agent: Agent, url: str, token: str, steps: Sequence[Step]) -> Account:
    """Take an agent, which has this token, through the steps. One that does not end is killed, and its account lost.

    `url` is where agents over streamable HTTP connect.
    """
    process = await asyncio.create_subprocess_exec(
        *(
            agent.runtime,
            str(ROOT / "tests" / "clients" / agent.script),
            url.removesuffix("/mcp") + agent.path,
            token,
            *agent.more,
        ),
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=agent.directory,
    )
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            output, errors = await process.communicate(json.dumps(steps).encode())
    except TimeoutError:
        process.kill()
        return Account([], await process.wait(), f"it did not end within {_TIMEOUT_S} s")
    return Account([json.loads(line) for line in output.splitlines()], process.returncode or 0, errors.decode())
