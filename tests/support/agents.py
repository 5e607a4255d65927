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
    is_stdio: bool = False
    """Whether it spawns `gateway stdio` instead of connecting to a URL."""

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


def over_stdio(agent: Agent) -> Agent:
    """The same library, over its other transport."""
    return msgspec.structs.replace(agent, name=f"{agent.name} stdio", is_stdio=True)


def stdio_command(config: Path, grant: str) -> list[str]:
    """What an agent spawns, so that it runs our code wherever the agent stands."""
    return [sys.executable, "-P", "-m", "gateway", "stdio", "--config", str(config), "--grant", grant]


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


# Those of them that spawn a command, and so need no URL and no token.
PYTHON_STDIO_AGENTS: Final = tuple(over_stdio(agent) for agent in PYTHON_AGENTS if agent.path == "/mcp")


def node_agents(node: str, install: Path) -> tuple[Agent, ...]:
    """The agents that need `node`, a Node of at least 22.19, and the packages that `make node` puts in `install`."""
    return (
        Agent("sdk 1.32.2", node, "agent_sdk1.mjs", ("http",), directory=install),
        Agent("sdk 1.32.2 sse", node, "agent_sdk1.mjs", ("sse",), directory=install, path="/sse"),
        Agent("client 2.4.0 legacy", node, "agent_client2.mjs", ("legacy",), directory=install),
        Agent("client 2.4.0 modern", node, "agent_client2.mjs", ("auto",), Era.MODERN, install),
        over_stdio(Agent("sdk 1.32.2", node, "agent_sdk1.mjs", ("http",), directory=install)),
        over_stdio(Agent("client 2.4.0 legacy", node, "agent_client2.mjs", ("legacy",), directory=install)),
        over_stdio(Agent("client 2.4.0 modern", node, "agent_client2.mjs", ("auto",), Era.MODERN, install)),
        Agent("Inspector 2.12.0 cli", sys.executable, "agent_inspector.py", (node, "cli"), directory=install),
        Agent("Inspector 2.12.0 mcpdo", sys.executable, "agent_inspector.py", (node, "mcpdo"), Era.MODERN, install),
    )


async def take(agent: Agent, where: str, token: str, steps: Sequence[Step]) -> Account:
    """Take an agent, which has this token, through the steps. One that does not end is killed, and its account lost.

    `where` is where agents over streamable HTTP connect or, for an agent over stdio, a command as a list in JSON.
    """
    connects_to = where if agent.is_stdio else where.removesuffix("/mcp") + agent.path
    process = await asyncio.create_subprocess_exec(
        *(agent.runtime, str(ROOT / "tests" / "clients" / agent.script), connects_to, token, *agent.more),
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
