"""What the official client sees at a gateway, step by step, as rows of a table. Run by `gateway demo tour`."""

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import mcp_types
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

Access = dict[str, Any]
"""How to reach one endpoint: `url`, and the `headers` that carry the token."""

_STEP = 52
_ANSWER = 84


class Table:
    """Rows of a step, what was seen, and whether that is as promised; printed as they come."""

    def __init__(self) -> None:
        self.is_as_promised = True
        print(f"{'step':<{_STEP}} {'answer':<{_ANSWER}} as promised")
        print("-" * _STEP, "-" * _ANSWER, "-" * len("as promised"))

    def row(self, step: str, answer: str, *, holds: bool) -> None:
        """Add a row."""
        self.is_as_promised &= holds
        print(f"{step:<{_STEP}} {' '.join(answer.split())[:_ANSWER]:<{_ANSWER}} {'yes' if holds else 'NO'}")


async def show(upstream_url: str, limited: Access, analyst: Access) -> bool:
    """Tour a gateway whose two grants have the policies of the demo. False when something was not as promised."""
    table = Table()
    async with _client({"url": upstream_url, "headers": {}}) as direct:
        everything = len((await direct.list_tools()).tools)
        table.row("the server itself: tools/list", f"{everything} tools", holds=everything == 44)
    async with _client(limited) as agent, _client(analyst) as other:
        tasks = [await _started_task(other) for _ in range(10)]
        await _show_limited(table, agent, everything, [*tasks, "any", "any"])
        await _show_analyst(table, other, everything)
    async with httpx2.AsyncClient() as http_client:
        counts = (await http_client.get(upstream_url.removesuffix("/mcp") + "/debug/calls")).json()
    table.row(
        "the server's own count of cancel_task", f"{counts['cancel_task']} calls", holds=counts["cancel_task"] == 11
    )
    return table.is_as_promised


async def _show_limited(table: Table, agent: Client, everything: int, tasks: list[str]) -> None:
    names = [tool.name for tool in (await agent.list_tools()).tools]
    table.row("cancel-only: tools/list", f"{len(names)} of {everything}: {names}", holds=names == ["cancel_task"])
    for number, task in enumerate(tasks, 1):
        refused, text = await _call(agent, "cancel_task", {"task_id": task})
        table.row(f"cancel-only: cancel_task, call {number}", text, holds=refused == (number > 10))
    refused, text = await _call(agent, "list_binaries", {})
    table.row("cancel-only: list_binaries, by (default deny)", text, holds=refused)


async def _show_analyst(table: Table, agent: Client, everything: int) -> None:
    visible = len((await agent.list_tools()).tools)
    table.row("analyst: tools/list", f"{visible} of {everything}", holds=visible == everything)
    refused, text = await _call(agent, "cancel_task", {"task_id": "any"})
    table.row("analyst: cancel_task, on a budget of its own", text, holds=not refused)
    arguments = {"filename": "crackme.bin", "action": "remove", "address": "0x401000"}
    refused, text = await _call(agent, "comments", arguments)
    table.row("analyst: comments with action remove", text, holds=refused)


async def _started_task(agent: Client) -> str:
    _, text = await _call(agent, "start_task", {"name": "demo", "tool_name": "get_strings"})
    task: str = json.loads(text)["task_id"]
    return task


async def _call(agent: Client, tool: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    result = await agent.call_tool(tool, arguments)
    (content, *_) = result.content
    return bool(result.is_error), content.text if isinstance(content, mcp_types.TextContent) else content.type


@contextlib.asynccontextmanager
async def _client(access: Access) -> AsyncIterator[Client]:
    async with (
        httpx2.AsyncClient(headers=access["headers"], timeout=30) as http_client,
        Client(streamable_http_client(access["url"], http_client=http_client)) as client,
    ):
        yield client
