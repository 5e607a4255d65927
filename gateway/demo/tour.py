"""What the official client sees at a gateway, step by step, as rows of a table. Run by `gateway demo tour`."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2
import mcp_types
import msgspec
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

Access = dict[str, Any]
"""How to reach one endpoint: `url`, and the `headers` that carry the token."""


class Promise(msgspec.Struct, frozen=True):
    """What becomes of a call: the gateway's decision in a refused answer, or that the server ran it."""

    verdict: str
    rule: str = ""
    has_wait: bool = False
    """Whether the agent is told how long to wait."""

    def __str__(self) -> str:
        return f"{self.verdict} by {self.rule}" if self.rule else self.verdict


PASSES: Final = Promise("allow")
LIMITED: Final = Promise("throttle", "/tools/cancel_task/limits/cancel_task_rate", has_wait=True)
NOT_LISTED: Final = Promise("deny", "(default deny)")
NO_FLOOD: Final = Promise("deny", "/tools/batch_rename/deny_if/length(args.renames)-gt")

_LIMIT: Final = 10
_FLOOD: Final = 5000
_STEP: Final = 44
_SEEN: Final = 54


class Table:
    """Rows of a step, what was seen, and whether that is as promised; printed as they come."""

    def __init__(self) -> None:
        self.is_as_promised = True
        print(f"{'step':<{_STEP}} {'seen':<{_SEEN}} as promised")
        print("-" * _STEP, "-" * _SEEN, "-" * len("as promised"))

    def row(self, step: str, seen: str, *, holds: bool) -> None:
        """Add a row."""
        self.is_as_promised &= holds
        print(f"{step:<{_STEP}} {seen:<{_SEEN}} {'yes' if holds else 'NO'}")

    def call(self, step: str, result: mcp_types.CallToolResult, promise: Promise) -> None:
        """Add the row of a call, and under a refused one what the agent was told."""
        seen = outcome_of(result)
        self.row(step, str(seen), holds=seen == promise and result.is_error == (promise != PASSES))
        if result.is_error:
            print(f"    {_text(result)}")


def outcome_of(result: mcp_types.CallToolResult) -> Promise:
    """What became of a call, as its answer says. An error without a decision is the server's own."""
    decision = (result.meta or {}).get("gateway.policy/decision")
    if decision is None:
        return Promise("failed at the server") if result.is_error else PASSES
    return Promise(decision["verdict"], decision["rule"], "retry_after_ms" in decision)


async def show(upstream_url: str, limited: Access, analyst: Access) -> bool:
    """Tour a gateway whose two grants have the policies of the demo. False when something was not as promised."""
    table = Table()
    async with _client({"url": upstream_url, "headers": {}}) as direct:
        everything = len((await direct.list_tools()).tools)
        table.row("the server itself: tools/list", f"{everything} tools", holds=everything == 44)
    async with _client(limited) as agent, _client(analyst) as other:
        tasks = [await _started_task(other) for _ in range(_LIMIT)]
        await _show_limited(table, agent, everything, [*tasks, "any", "any"])
        await _show_analyst(table, other, everything)
    async with httpx2.AsyncClient() as http_client:
        counts = (await http_client.get(upstream_url.removesuffix("/mcp") + "/debug/calls")).json()
    arrived = counts["cancel_task"]
    promised = f"{_LIMIT} of cancel-only + 1 of analyst"
    table.row("the server's own count of cancel_task", f"{arrived} (promised: {promised})", holds=arrived == _LIMIT + 1)
    return table.is_as_promised


async def _show_limited(table: Table, agent: Client, everything: int, tasks: list[str]) -> None:
    names = [tool.name for tool in (await agent.list_tools()).tools]
    table.row("cancel-only: tools/list", f"{len(names)} of {everything}: {names}", holds=names == ["cancel_task"])
    for number, task in enumerate(tasks, 1):
        result = await agent.call_tool("cancel_task", {"task_id": task})
        table.call(f"cancel-only: cancel_task, call {number}", result, PASSES if number <= _LIMIT else LIMITED)
    table.call("cancel-only: list_binaries", await agent.call_tool("list_binaries", {}), NOT_LISTED)


async def _show_analyst(table: Table, agent: Client, everything: int) -> None:
    visible = len((await agent.list_tools()).tools)
    table.row("analyst: tools/list", f"{visible} of {everything}", holds=visible == everything)
    result = await agent.call_tool("cancel_task", {"task_id": "any"})
    table.call("analyst: cancel_task, on a budget of its own", result, PASSES)
    arguments = {"filename": "crackme.bin", "renames": [{"address_or_name": "main", "new_name": "start"}] * _FLOOD}
    table.call(f"analyst: batch_rename of {_FLOOD} symbols", await agent.call_tool("batch_rename", arguments), NO_FLOOD)


async def _started_task(agent: Client) -> str:
    result = await agent.call_tool("start_task", {"name": "demo", "tool_name": "get_strings"})
    task: str = json.loads(_text(result))["task_id"]
    return task


def _text(result: mcp_types.CallToolResult) -> str:
    (content, *_) = result.content
    return " ".join(content.text.split()) if isinstance(content, mcp_types.TextContent) else content.type


@contextlib.asynccontextmanager
async def _client(access: Access) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=access["headers"], timeout=30) as http_client,
        Client(streamable_http_client(access["url"], http_client=http_client)) as client,
    ):
        yield client
