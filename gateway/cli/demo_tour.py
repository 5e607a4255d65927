"""`gateway demo tour`: the official client against a gateway of its own, shown as a table, then the audit lines."""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import sleep
from typing import Any, Final

from gateway.cli.demo_up import POLL_S, START_POLLS, client_config_path
from gateway.errors import GatewayError

_AUDIT_LINES: Final = 4


class Table:
    """Rows of step, what was seen and whether it was as promised, printed as they come."""

    def __init__(self) -> None:
        self.is_as_promised = True
        print(f"{'step':<52} {'answer':<78} ok\n{'-' * 52} {'-' * 78} --")

    def row(self, step: str, answer: str, *, holds: bool) -> None:
        """Add a row."""
        self.is_as_promised &= holds
        print(f"{step:<52} {' '.join(answer.split())[:78]:<78} {'✓' if holds else '✗'}")


def run(args: argparse.Namespace) -> int:
    """Show the tour; 1 when something was not as promised."""
    with tempfile.TemporaryDirectory(prefix="gateway-tour-") as folder, _pair(Path(folder)) as servers:
        table = Table()
        asyncio.run(_tour(table, servers))
        _show_audit(Path(folder) / "state" / "audit" / "journal.jsonl")
    return 0 if table.is_as_promised else 1


async def _tour(table: Table, servers: dict[str, Any]) -> None:
    upstream = servers["upstream"]
    async with _client(upstream, {}) as direct:
        everything = len((await direct.list_tools()).tools)
        table.row("the server itself: tools/list", f"{everything} tools", holds=everything == 44)
    async with _client(**servers["binassist-cancel-only"]) as agent:
        await _show_limited_agent(table, agent, everything)
    async with _client(**servers["binassist-analyst"]) as analyst:
        visible = len((await analyst.list_tools()).tools)
        table.row("grant analyst: tools/list", f"{visible} tools", holds=visible > 1)
        refused, text = await _call(analyst, "cancel_task", {"task_id": "none"})
        table.row("grant analyst: cancel_task, on a budget of its own", text, holds=not refused)
    counted = _counted(upstream)
    table.row("the server's own count of cancel_task", f"{counted} calls", holds=counted == 11)


async def _show_limited_agent(table: Table, agent: Any, everything: int) -> None:
    names = [tool.name for tool in (await agent.list_tools()).tools]
    table.row("grant cancel-only: tools/list", f"{len(names)} of {everything}: {names}", holds=names == ["cancel_task"])
    for number in range(1, 13):
        refused, text = await _call(agent, "cancel_task", {"task_id": "none"})
        table.row(f"grant cancel-only: cancel_task, call {number}", text, holds=refused == (number > 10))
    refused, text = await _call(agent, "list_binaries", {})
    table.row("grant cancel-only: list_binaries (default deny)", text, holds=refused)


async def _call(client: Any, tool: str, arguments: dict[str, Any]) -> tuple[bool, str]:
    result = await client.call_tool(tool, arguments)
    return result.is_error, result.content[0].text


@contextlib.asynccontextmanager
async def _client(url: str, headers: dict[str, str], **_: str) -> AsyncIterator[Any]:
    """The official client; its package comes with the extra `demo`."""
    try:
        import httpx2
        from mcp import Client
        from mcp.client.streamable_http import streamable_http_client
    except ModuleNotFoundError as missing:
        raise GatewayError(f"the tour needs {missing.name}: pip install 'mcp-policy-gateway[demo]'") from missing
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http_client,
        Client(streamable_http_client(url, http_client=http_client)) as client,
    ):
        yield client


@contextlib.contextmanager
def _pair(folder: Path) -> Iterator[dict[str, Any]]:
    """A demo server and a gateway on free ports: what to connect to, by name."""
    command = [sys.executable, "-m", "gateway", "demo", "up", "--free-ports", "--directory", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        _await_file(process, client_config_path(folder))
        servers = json.loads(client_config_path(folder).read_text())["mcpServers"]
        config = json.loads((folder / "gateway.json").read_text())
        yield servers | {"upstream": config["servers"]["binassist"]["url"]}
    finally:
        process.terminate()
        process.wait()


def _await_file(process: "subprocess.Popen[bytes]", path: Path) -> None:
    for _ in range(START_POLLS):
        if process.poll() is not None:
            break
        if path.exists() and path.read_text().endswith("}\n"):
            return
        sleep(POLL_S)
    raise GatewayError("the gateway did not start; see what it printed above")


def _counted(upstream_url: str) -> int:
    with urllib.request.urlopen(upstream_url.removesuffix("/mcp") + "/debug/calls", timeout=5) as answer:
        count: int = json.loads(answer.read())["cancel_task"]
        return count


def _show_audit(journal: Path) -> None:
    print(f"\nthe last {_AUDIT_LINES} of the audit journal's lines:")
    for line in journal.read_text().splitlines()[-_AUDIT_LINES:]:
        print(" ", line)
