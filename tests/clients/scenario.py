"""Takes an agent through the steps on standard input, and prints one line of JSON for each: what the agent saw.

Which steps there are and what should be seen is for the tests to say (tests/support/agents.py). Runs in the
clients' environments and knows no client library; scenario.mjs does the same for Node.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

# Longer than any step takes; a client that waits for an answer that never comes must not keep the others waiting.
STEP_TIMEOUT_S = 15

# What the user enters in every field of a form, and what the model says, when the server asks.
ENTERED = "Ada"
SAID = "Paris"

OnProgress = Callable[[float, float | None, str | None], Awaitable[None]]


class Agent(Protocol):
    """A connected client library, which does each thing in its own way."""

    async def connection(self) -> tuple[str, str]:
        """The server's name, and the protocol version agreed on."""
        ...

    async def list_tools(self) -> list[str]:
        """Names."""
        ...

    async def call_tool(
        self, name: str, arguments: dict[str, Any], on_progress: OnProgress | None = None
    ) -> tuple[bool, str]:
        """Whether the result is an error, and its text."""
        ...

    async def read_resource(self, uri: str) -> str:
        """The text."""
        ...

    async def get_prompt(self, name: str) -> str:
        """The text of the first message."""
        ...


async def run(agent: Agent) -> None:
    """Do every step, whatever became of the one before."""
    for step in json.load(sys.stdin):
        try:
            async with asyncio.timeout(STEP_TIMEOUT_S):
                seen = await _do(agent, **step)
        except Exception as error:
            seen = {"failed": f"{type(error).__name__}: {error}"}
        print(json.dumps(seen), flush=True)


def command(where: str) -> dict[str, Any] | None:
    """What to spawn, as keyword arguments of the client libraries, where the first argument of an agent names a command
    instead of a URL.
    """
    if not where.startswith("["):
        return None
    program, *arguments = json.loads(where)
    # Libraries pass on little of the environment by themselves.
    return {"command": program, "args": arguments, "env": dict(os.environ)}


def filled_in(schema: dict[str, Any]) -> dict[str, Any]:
    """The form that the server asks the user to fill in, filled in."""
    return dict.fromkeys(schema["properties"], ENTERED)


def text_of(content: list[Any]) -> str:
    """The text of a result, without what else it holds."""
    return "".join(block.text for block in content if block.type == "text")


async def _do(agent: Agent, do: str, name: str = "", arguments: dict[str, Any] | None = None) -> dict[str, Any]:
    match do:
        case "connection":
            server, version = await agent.connection()
            return {"server": server, "version": version}
        case "list_tools":
            return {"tools": await agent.list_tools()}
        case "call_tool":
            is_error, text = await agent.call_tool(name, arguments or {})
            return {"is_error": is_error, "text": text}
        case "call_with_progress":
            return await _call_with_progress(agent, name)
        case "cancel":
            return await _cancel(agent, name)
        case "read_resource":
            return {"text": await agent.read_resource(name)}
        case "get_prompt":
            return {"text": await agent.get_prompt(name)}
    raise ValueError(f"unknown step {do}")


async def _call_with_progress(agent: Agent, name: str) -> dict[str, Any]:
    seen: list[float] = []

    async def on_progress(done: float, _total: float | None, _message: str | None) -> None:
        seen.append(done)

    is_error, text = await agent.call_tool(name, {}, on_progress)
    return {"is_error": is_error, "text": text, "progress": seen}


async def _cancel(agent: Agent, name: str) -> dict[str, Any]:
    """Give a call up once it reports progress, and so is known to run."""
    is_running = asyncio.Event()

    async def on_progress(_done: float, _total: float | None, _message: str | None) -> None:
        is_running.set()

    call = asyncio.create_task(agent.call_tool(name, {}, on_progress))
    await is_running.wait()
    call.cancel()
    await asyncio.wait([call])
    return {"cancelled": call.cancelled()}
