"""Minutes of mixed traffic of every client kind, and whether the gateway grew: `make soak`, not for CI.

Agents of both eras come and go: whole sessions with the official clients, agents that hang up in the middle, streams
that only listen, malformed requests. The gateway's memory, descriptors and gauges are sampled; growth fails.
"""

import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import aiohttp
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from tests.support.gateways import ACCEPT, tool_call, write_config
from tests.support.processes import DemoProcess, GatewayProcess

ROOT = Path(__file__).parents[2]
TOKEN = "token-soak"
POLICY = {
    "version": "1",
    "default": "allow",
    "tools": {"cancel_task": {"limits": [{"counter": "c", "window": "second", "max": 50, "scope": "grant"}]}},
}
SAMPLE_S = 5.0
# Growth allowed, well above what a sample's noise is.
REST_S = 10.0
MAX_GROWTH_KIB = 4096
MAX_GROWTH_FDS = 8

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": ACCEPT, "Content-Type": "application/json"}


class Sample(NamedTuple):
    """The gateway at one moment."""

    resident_kib: int
    descriptors: int
    inflight: int

    def __str__(self) -> str:
        return f"{self.resident_kib} KiB resident, {self.descriptors} descriptors, {self.inflight} in flight"


async def official(url: str, mode: str) -> None:
    """A whole session with the client of mcp 2."""
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30) as http_client,
        Client(streamable_http_client(url, http_client=http_client), mode=mode) as client,
    ):
        await client.list_tools()
        for _ in range(20):
            await client.call_tool("cancel_task", {"task_id": "none"})


async def other_library(url: str, environment: str, script: str) -> None:
    """A whole session with a client that lives in an environment of its own."""
    python = ROOT / ".venv-clients" / environment / "bin" / "python"
    process = await asyncio.create_subprocess_exec(
        *(str(python), str(ROOT / "tests" / "soak" / script), url, TOKEN), stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise RuntimeError(f"{script} failed")


async def hang_up(url: str) -> None:
    """Calls whose agent leaves at once, and a stream that only listens for a moment."""
    timeout = aiohttp.ClientTimeout(total=0.02)
    async with aiohttp.ClientSession(headers=HEADERS, timeout=timeout) as client:
        for number in range(20):
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                await client.post(url, json=tool_call("get_strings", {"filename": "crackme.bin"}, id=number))
        with contextlib.suppress(TimeoutError, aiohttp.ClientError):
            await client.get(url)


async def nonsense(url: str) -> None:
    """Requests that are refused, one after the other."""
    async with aiohttp.ClientSession(headers=HEADERS) as client:
        for body in (b"{", b"[]", b'{"jsonrpc":"2.0","id":1,"method":"nothing/here"}', b"x" * 100_000):
            await (await client.post(url, data=body)).read()
        await (await client.post(url, data=b"{}", headers={"Authorization": "Bearer wrong"})).read()


async def repeated(name: str, work: Callable[[], Awaitable[None]], until: float, counts: dict[str, int]) -> None:
    """Run `work` again and again; a failure ends the soak."""
    while asyncio.get_running_loop().time() < until:
        await work()
        counts[name] = counts.get(name, 0) + 1


async def sample(gateway: GatewayProcess) -> Sample:
    """The gateway at this moment."""
    process = Path(f"/proc/{gateway.pid}")
    status = (process / "status").read_text()
    resident = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    metrics = (await gateway.metrics()).splitlines()
    inflight = next((line.split()[-1] for line in metrics if line.startswith("mcp_gateway_inflight{")), "0")
    return Sample(resident, len(list((process / "fd").iterdir())), int(float(inflight)))


async def sampled(gateway: GatewayProcess, until: float, samples: list[Sample]) -> None:
    """Look at the gateway every `SAMPLE_S` seconds."""
    while asyncio.get_running_loop().time() < until:
        samples.append(await sample(gateway))
        await asyncio.sleep(SAMPLE_S)


async def soak(minutes: float) -> int:
    """Run the traffic; 1 when something grew."""
    counts: dict[str, int] = {}
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        async with (
            DemoProcess() as demo,
            GatewayProcess(write_config(Path(folder), demo.url, {"soak": POLICY})) as gateway,
        ):
            url, until = gateway.url, asyncio.get_running_loop().time() + minutes * 60
            agents: dict[str, Callable[[], Awaitable[None]]] = {
                "mcp 2, modern": lambda: official(url, "auto"),
                "mcp 2, legacy": lambda: official(url, "legacy"),
                "mcp 1": lambda: other_library(url, "mcp1", "agent_mcp1.py"),
                "fastmcp 4": lambda: other_library(url, "fastmcp4", "agent_fastmcp4.py"),
                "hanging up": lambda: hang_up(url),
                "nonsense": lambda: nonsense(url),
            }
            samples.append(await sample(gateway))
            async with asyncio.TaskGroup() as group:
                group.create_task(sampled(gateway, until, samples))
                for name, work in agents.items():
                    group.create_task(repeated(name, work, until, counts))
            # Idle connections to the server are kept for a few seconds.
            await asyncio.sleep(REST_S)
            samples.append(await sample(gateway))
    return report(minutes, counts, samples)


def report(minutes: float, counts: dict[str, int], samples: list[Sample]) -> int:
    """Print what was done and how the gateway's size went; 1 when it grew.

    Memory is compared between the middle and the end of the traffic, when every kind of agent has been there;
    descriptors and exchanges between the rest before it and the rest after it.
    """
    print(f"{minutes:g} minutes; rounds: {json.dumps(counts)}")
    first, *busy, last = samples
    size = max(1, len(busy) // 4)
    parts = [busy[start : start + size] for start in range(0, size * 4, size)]
    middles = [Sample(*(round(statistics.median(values)) for values in zip(*part, strict=True))) for part in parts]
    print(f"before: {first}")
    for number, middle in enumerate(middles, 1):
        print(f"part {number}: {middle}")
    print(f"after:  {last}")
    has_grown = (
        middles[3].resident_kib - middles[1].resident_kib > MAX_GROWTH_KIB
        or last.descriptors - first.descriptors > MAX_GROWTH_FDS
        or last.inflight > 0
    )
    print("it grew" if has_grown else "nothing grew")
    return 1 if has_grown else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(soak(float(sys.argv[1]))))
