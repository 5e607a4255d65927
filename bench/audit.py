"""What the audit journal costs: the gateway's CPU time for an allowed call, with the journal and without.

`make bench` runs it. A gateway process is driven over loopback by this one, which is agent and server; its CPU time is
the system's count for it, so that other work on the machine does not matter. Both kinds take turns.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from gateway.audit.journal import Journal
from gateway.cli import serve
from gateway.config import load_config
from gateway.proxy import record

ROUNDS: Final = 7
CALLS: Final = 3000
AGENTS: Final = 8
SHARE: Final = 0.15
"""The most of an allowed call's CPU time that the journal may take."""

_TICK_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_TOKEN: Final = "bench"


def main() -> int:
    """Print the figures; 1 when the journal takes more than its share."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--without", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        _serve(args.serve, is_recorded=not args.without)
        return 0
    return asyncio.run(_measure())


def _serve(config: Path, *, is_recorded: bool) -> None:
    """The gateway to measure. Without the journal nothing is made for it either."""
    if not is_recorded:
        modules: Any = (record.Recorder, record.Exchange, record, Journal)
        recorder, exchange, module, journal = modules
        recorder.append = lambda *_: True
        recorder.now = lambda *_: ""
        exchange._decision_record = lambda *_, **__: None
        module.OutcomeRecord = lambda **_: None
        journal.append = lambda *_: None
    serve.serve(load_config(config), lambda gateway: print(gateway.url, flush=True))


async def _measure() -> int:
    upstream = web.AppRunner(_upstream(), access_log=None)
    await upstream.setup()
    await web.TCPSite(upstream, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{upstream.addresses[0][1]}/mcp"
    rounds = [(await _round(url), await _round(url, "--without")) for _ in range(ROUNDS)]
    await upstream.cleanup()
    recorded, bare = (statistics.median(figures) for figures in zip(*rounds, strict=True))
    share = (recorded - bare) / recorded
    print(f"an allowed call: {recorded * 1e6:.0f} µs of CPU with the journal, {bare * 1e6:.0f} µs without")
    print(f"the journal's share: {share:.1%} (at most {SHARE:.0%}); median of {ROUNDS} rounds of {CALLS} calls each")
    return 0 if share <= SHARE else 1


async def _round(upstream_url: str, *options: str) -> float:
    """Seconds of CPU for one call."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        config = _write_config(Path(folder), upstream_url)
        command = [sys.executable, __file__, "--serve", str(config), *options]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        try:
            url = (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip() + "/mcp"
            async with aiohttp.ClientSession(headers=_headers()) as client:
                await _call(client, url, CALLS // 10)
                before = _cpu_s(process.pid)
                await asyncio.gather(*(_call(client, url, CALLS // AGENTS) for _ in range(AGENTS)))
                return (_cpu_s(process.pid) - before) / (CALLS // AGENTS * AGENTS)
        finally:
            process.terminate()
            await process.wait()


async def _call(client: aiohttp.ClientSession, url: str, count: int) -> None:
    params = {"name": "cancel_task", "arguments": {"task_id": "3f2a9c", "reason": "x" * 100, "force": True}}
    for number in range(count):
        message = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        async with client.post(url, json=message) as answer:
            assert "result" in await answer.json()


def _upstream() -> web.Application:
    async def answer(request: web.Request) -> web.Response:
        message = await request.json()
        result = {"content": [{"type": "text", "text": "done"}]}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": result})

    application = web.Application()
    application.router.add_post("/mcp", answer)
    return application


def _write_config(folder: Path, upstream_url: str) -> Path:
    limits = [{"counter": "cancel_task_rate", "window": "minute", "max": 10_000, "scope": "grant"}]
    digest = hashlib.sha256(_TOKEN.encode()).hexdigest()
    document = {
        "listen": "127.0.0.1:0",
        "admin": {"listen": "127.0.0.1:0"},
        "servers": {"binassist": {"url": upstream_url}},
        "policies": {"p": {"version": "1", "default": "deny", "tools": {"cancel_task": {"limits": limits}}}},
        "grants": [{"label": "bench", "server": "binassist", "policy": "p", "token_sha256": digest}],
    }
    path = folder / "gateway.json"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


def _headers() -> dict[str, str]:
    return {"Authorization": f"Bearer {_TOKEN}", "Accept": "application/json, text/event-stream"}


def _cpu_s(pid: int) -> float:
    """What the system counts for a process, of its own and on its behalf."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_S


if __name__ == "__main__":
    sys.exit(main())
