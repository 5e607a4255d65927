"""Minutes of mixed traffic of every client kind, and whether the gateway grew: `make soak`, not for CI.

Agents of both eras and of every transport come and go: whole sessions with the official clients, agents that hang up
in the middle, streams that only listen, requests that are refused. The gateway is compared at rest: after a while of
traffic, when every kind of agent has been there, and after all of it. What has grown then has leaked.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import aiohttp
import msgspec

from tests.conformance.suite import SuiteError, find_node
from tests.support.agents import PYTHON_AGENTS, Agent, Step, node_agents, take
from tests.support.gateways import ACCEPT, tool_call, write_config
from tests.support.processes import DemoProcess, GatewayProcess

TOKEN = "token-soak"
POLICY = {
    "version": "1",
    "default": "allow",
    "tools": {"cancel_task": {"limits": [{"counter": "c", "window": "second", "max": 50, "scope": "grant"}]}},
}
STEPS: list[Step] = [
    {"do": "list_tools"},
    *({"do": "call_tool", "name": "cancel_task", "arguments": {"task_id": "none"}} for _ in range(40)),
    {"do": "call_tool", "name": "get_strings", "arguments": {"filename": "crackme.bin"}},
]
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Accept": ACCEPT, "Content-Type": "application/json"}

SAMPLE_S = 5.0
# Idle connections to the server are kept for a few seconds, and calls whose agents left run to their end.
REST_S = 15.0
# The first part of the traffic fills caches and pools; it is not judged.
WARM_UP = 0.3


class Sample(msgspec.Struct, frozen=True):
    """The gateway at one moment."""

    resident_kib: int
    descriptors: int
    tasks: int
    streams: int
    sessions: int
    inflight: int

    def __str__(self) -> str:
        return ", ".join(f"{name} {value}" for name, value in msgspec.structs.asdict(self).items())


# Growth from rest to rest that is still noise: an allocator keeps what it once had.
MAX_GROWTH = Sample(resident_kib=4096, descriptors=2, tasks=2, streams=0, sessions=0, inflight=0)


async def session(agent: Agent, url: str) -> None:
    """A whole session with an official client."""
    account = await take(agent, url, TOKEN, STEPS)
    failed = [seen for seen in account.seen if "failed" in seen]
    if account.exit_code or failed or len(account.seen) != len(STEPS):
        raise RuntimeError(f"{agent.name}: exit code {account.exit_code}, {failed[:3]}, {account.errors[-1000:]}")


async def hang_up(url: str) -> None:
    """Calls whose agent leaves at once, and streams of both transports that only listen for a moment."""
    timeout = aiohttp.ClientTimeout(total=0.02)
    async with aiohttp.ClientSession(headers=HEADERS, timeout=timeout) as client:
        for number in range(20):
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                await client.post(url, json=tool_call("get_strings", {"filename": "crackme.bin"}, id=number))
        for listened in (url, url.removesuffix("/mcp") + "/sse"):
            with contextlib.suppress(TimeoutError, aiohttp.ClientError):
                await (await client.get(listened)).read()


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
    lines = (await gateway.metrics()).splitlines()

    def gauge(name: str) -> int:
        return sum(int(float(line.split()[-1])) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    return Sample(
        resident_kib=resident,
        descriptors=len(list((process / "fd").iterdir())),
        tasks=gauge("mcp_gateway_tasks"),
        streams=gauge("mcp_gateway_streams"),
        sessions=gauge("mcp_gateway_sessions"),
        inflight=gauge("mcp_gateway_inflight"),
    )


async def sampled(gateway: GatewayProcess, until: float, samples: list[Sample]) -> None:
    """Look at the gateway every `SAMPLE_S` seconds."""
    while asyncio.get_running_loop().time() < until:
        samples.append(await sample(gateway))
        await asyncio.sleep(SAMPLE_S)


async def traffic(
    gateway: GatewayProcess, agents: Sequence[Agent], seconds: float, counts: dict[str, int]
) -> tuple[list[Sample], Sample]:
    """Every kind of agent at once for so long: the gateway meanwhile, and at rest afterwards."""
    url, until = gateway.url, asyncio.get_running_loop().time() + seconds
    busy: list[Sample] = []
    kinds: dict[str, Callable[[], Awaitable[None]]] = {
        "hanging up": partial(hang_up, url),
        "nonsense": partial(nonsense, url),
        **{agent.name: partial(session, agent, url) for agent in agents},
    }
    async with asyncio.TaskGroup() as group:
        group.create_task(sampled(gateway, until, busy))
        for name, work in kinds.items():
            group.create_task(repeated(name, work, until, counts))
    await asyncio.sleep(REST_S)
    return busy, await sample(gateway)


async def soak(agents: Sequence[Agent], minutes: float) -> int:
    """Run the traffic; 1 when something grew."""
    counts: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        async with (
            DemoProcess() as demo,
            GatewayProcess(write_config(Path(folder), demo.url, {"soak": POLICY})) as gateway,
        ):
            started = await sample(gateway)
            _, first = await traffic(gateway, agents, minutes * 60 * WARM_UP, {})
            busy, last = await traffic(gateway, agents, minutes * 60 * (1 - WARM_UP), counts)
    print(f"{minutes:g} minutes; rounds after the warm-up: {json.dumps(counts)}")
    print(f"at the start: {started}")
    print(f"at rest, after the warm-up: {first}")
    for part in (0, len(busy) // 2, len(busy) - 1):
        print(f"in traffic: {busy[part]}")
    print(f"at rest, after all of it: {last}")
    return report(first, last, minutes * (1 - WARM_UP))


def report(first: Sample, last: Sample, minutes: float) -> int:
    """Print how the gateway grew between two moments of rest, `minutes` of traffic apart; 1 when it did."""
    has_grown = False
    for name, most in msgspec.structs.asdict(MAX_GROWTH).items():
        growth = getattr(last, name) - getattr(first, name)
        has_grown |= growth > most
        verdict = "GREW" if growth > most else "ok"
        print(f"{name}: {growth:+d}, {growth / minutes:+.1f} a minute (at most {most:+d}): {verdict}")
    return int(has_grown)


def main() -> int:
    """0 when nothing grew, else 1."""
    parser = argparse.ArgumentParser(description="Put mixed traffic through a gateway, and see whether it grew.")
    parser.add_argument("minutes", type=float, help="how long, the rests aside")
    parser.add_argument("--install", type=Path, required=True, help="the directory that npm installed the clients into")
    parser.add_argument("--node", type=Path, required=True, help="the directory that npm installed a Node into")
    args = parser.parse_args()
    try:
        of_node = node_agents(find_node(args.node.resolve()), args.install.resolve())
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    # The Inspector starts a process for each step, and shows nothing that the library in it does not.
    agents = [*PYTHON_AGENTS, *(agent for agent in of_node if not agent.name.startswith("Inspector"))]
    return asyncio.run(soak(agents, args.minutes))


if __name__ == "__main__":
    sys.exit(main())
