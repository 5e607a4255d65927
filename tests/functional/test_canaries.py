"""Secrets that are planted everywhere turn up nowhere: journal, log, metrics, refusals, database, process list."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.support.gateways import ACCEPT, modern, tool_call, write_config
from tests.support.processes import GatewayProcess
from tests.support.upstream import ScriptedUpstream, rpc_result

CANARY = "c4n4ry"
POLICY: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {
        "get_code": {},
        "cancel_task": {"limits": [{"counter": "c", "window": "day", "max": 1, "scope": "grant"}]},
        "patch": {"deny_if": [{"conditions": [{"path": "args.bytes", "op": "exists", "value": True}]}]},
        "strict": {"require": [{"conditions": [{"path": "args.bytes", "op": "eq", "value": 1}]}]},
    },
}
VALUES = {"bytes": f"{CANARY}-value", "deep": [{"key": f"{CANARY}-deep", "more": [f"{CANARY}-deeper"]}]}
COOKIES = {"Cookie": f"session={CANARY}-cookie", "X-Secret": f"{CANARY}-header", "User-Agent": f"{CANARY}-agent"}


def requests() -> list[tuple[str, bytes | Any, dict[str, str]]]:
    """Path below the listener, body and headers of what is sent, besides the usual headers."""
    calls = [tool_call(tool, VALUES, id=1) for tool in ("get_code", "cancel_task", "cancel_task", "patch", "strict")]
    modern_call, mirrored = modern(tool_call("get_code", VALUES, id=2))
    meta = {"jsonrpc": "2.0", "id": 3, "method": "tools/list", "params": {"_meta": {"x": f"{CANARY}-meta"}}}
    wrong = {"Authorization": f"Bearer gw_{CANARY}_wrong"}
    return [
        *(("/mcp", call, {}) for call in calls),
        ("/mcp", modern_call, {name.replace("_", "-"): value for name, value in mirrored.items()}),
        ("/mcp", meta, {}),
        ("/mcp", tool_call("get_code"), {"Mcp-Session-Id": f"{CANARY}-session"}),
        ("/mcp", tool_call("get_code"), wrong),
        ("/mcp", tool_call("get_code"), {"Authorization": f"Basic {CANARY}"}),
        ("/mcp", tool_call("get_code"), {"Origin": f"https://{CANARY}.example"}),
        (f"/mcp?token={CANARY}", tool_call("get_code"), {}),
        (f"/{CANARY}", tool_call("get_code"), {}),
        ("/mcp", f'{{"jsonrpc":"2.0","id":1,"method":"tools/call","{CANARY}":'.encode(), {}),
        ("/mcp", f'{{"jsonrpc":"2.0","id":1,"id":2,"method":"{CANARY}"}}'.encode(), {}),
        ("/mcp", tool_call("get_code"), {"Content-Type": f"text/{CANARY}"}),
    ]


async def test_secrets_turn_up_nowhere(upstream: ScriptedUpstream, tmp_path: Path):
    """Neither what agents send nor the server's credential, its answers, its failures and its session ids."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if len(server.received) % 3 == 0:
            return web.Response(status=500, body=f"{CANARY}-error".encode(), headers={"X-Trace": f"{CANARY}-trace"})
        headers = {"Set-Cookie": f"{CANARY}-theirs", "Mcp-Session-Id": f"{CANARY}-their-session"}
        return rpc_result(message, {"tools": [], "content": [{"type": "text", "text": "x"}]}, headers=headers)

    upstream.script = script
    token = "seed"
    config = write_config(tmp_path, upstream.url, {token: POLICY}, headers={"X-Api-Key": f"{CANARY}-credential"})
    async with GatewayProcess(config) as process:
        usual = {"Authorization": f"Bearer token-{token}", "Accept": ACCEPT, "Content-Type": "application/json"}
        bodies = []
        async with aiohttp.ClientSession() as client:
            base = process.url.removesuffix("/mcp")
            for path, body, headers in requests():
                sent = {"data": body} if isinstance(body, bytes) else {"json": body}
                async with client.post(base + path, headers=usual | COOKIES | headers, **sent) as answer:
                    bodies.append(await answer.read())
            metrics = (await process.metrics()).encode()
            listed = await _process_list(process.pid)
        assert await process.stop() == 0
    assert len(upstream.received) >= 4
    state = {path.name: path.read_bytes() for path in (tmp_path / "state").rglob("*") if path.is_file()}
    seen = state | {
        "log": process.output.encode(),
        "metrics": metrics,
        "processes": listed,
        "answers": b"".join(bodies),
    }
    for needle in (CANARY.encode(), b"token-seed"):
        assert [name for name, content in seen.items() if needle in content] == []
    assert b'"verdict":"deny"' in state["journal.jsonl"]


async def _process_list(pid: int) -> bytes:
    """What anybody on the machine can see of the process."""
    listing = await asyncio.create_subprocess_exec(
        "ps", "-ww", "-o", "args", "-p", str(pid), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await listing.communicate()
    assert b"gateway" in output
    return output
