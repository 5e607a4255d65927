"""Floods, and what honest agents notice of them: `make flood`.

A few agents call at a steady rate on connections that they keep, first in peace and then under each kind of flood. The
figures are the times that they waited; a call that got no answer is a fault, and so is a flood that was not felt.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import aiohttp
import msgspec
from aiohttp import web

from tests.flood.attack import GRANTS
from tests.support.gateways import ACCEPT, ALLOW_ALL, edit_config, is_allowed, tool_call, write_config
from tests.support.processes import GatewayProcess
from tests.support.upstream import ScriptedUpstream, open_stream

AGENTS: Final = 4
CALLS_PER_S: Final = 20
MOST_ADDED_MS: Final = 50

# Readers that have gone keep their grant's turns for a while, so they come last.
KINDS: Final = {"connections": 10_000, "heads": 1000, "bodies": 512, "pipelined": 1, "deaf": 128}
"""How many of each at once."""
FELT: Final = {
    "connections": "503",
    "heads": "connected",
    "bodies": "connected",
    "deaf": "connected",
    "pipelined": "200",
}
"""What every flood of a kind meets, if it has arrived at all."""


class Figures(msgspec.Struct, frozen=True):
    """What the honest agents noticed."""

    kind: str
    calls: int
    unanswered: int
    p50_ms: float
    p99_ms: float
    met: dict[str, int] = {}
    """What the flood met."""

    def __str__(self) -> str:
        times = (
            f"{self.calls:5} calls  {self.unanswered:3} unanswered  p50 {self.p50_ms:6.1f}  p99 {self.p99_ms:6.1f} ms"
        )
        return f"{self.kind:<12} {times}  {self.met or ''}"


async def flood(
    directory: Path, *, counts: dict[str, int], seconds: float, bounds: dict[str, int] | None = None
) -> tuple[list[Figures], list[str]]:
    """The figures in peace and under each flood of so many for so long, and what must not happen, in sentences."""
    upstream = ScriptedUpstream(script=_script)
    await upstream.start()
    config = write_config(directory, upstream.url, dict.fromkeys(("honest", *GRANTS), ALLOW_ALL))
    edit_config(config, lambda document: document.update(bounds=bounds or {}))
    try:
        async with GatewayProcess(config) as process, contextlib.AsyncExitStack() as sessions:
            headers = {"Authorization": "Bearer token-honest", "Accept": ACCEPT}
            agents = [await sessions.enter_async_context(aiohttp.ClientSession(headers=headers)) for _ in range(AGENTS)]
            await _measured("warm-up", agents, process.url, 1)
            figures = [await _measured("peace", agents, process.url, seconds)]
            for kind, count in counts.items():
                async with _attack(kind, process.url, count, seconds) as met:
                    measured = await _measured(kind, agents, process.url, seconds)
                figures.append(msgspec.structs.replace(measured, met=met))
            faults = [] if await process.stop() == 0 and "Traceback" not in process.output else [process.output[-2000:]]
    finally:
        upstream.released.set()
        await upstream.stop()
    faults += [f"{one.kind}: {one.unanswered} calls without an answer" for one in figures if one.unanswered]
    faults += [f"{one.kind}: not felt" for one in figures[1:] if FELT[one.kind] not in one.met]
    return figures, faults


async def _script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """Answers at once; `long_stream` without an end."""
    server.received.clear()
    if message["params"]["name"] != "long_stream":
        return server.default_answer(message)
    stream = await open_stream(request)
    event = (
        b"data: " + json.dumps({"jsonrpc": "2.0", "method": "x", "params": {"text": "x" * 32768}}).encode() + b"\n\n"
    )
    with contextlib.suppress(ConnectionError):
        while not server.released.is_set():
            await stream.write(event)
            # The server runs in the process that measures, and must not be what honest agents wait for.
            await asyncio.sleep(0.25)
    return stream


@contextlib.asynccontextmanager
async def _attack(kind: str, url: str, count: int, seconds: float) -> AsyncIterator[dict[str, int]]:
    """A flood that has begun; what it has met is there after the end."""
    host, port = url.split("/")[2].split(":")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.flood.attack", kind, host, port, str(count), str(seconds)),
        cwd=Path(__file__).parents[2],
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    met: dict[str, int] = {}
    yield met
    output, _ = await process.communicate()
    met.update(json.loads(output or b"{}"))


async def _measured(kind: str, agents: list[aiohttp.ClientSession], url: str, seconds: float) -> Figures:
    told = await asyncio.gather(*(_calls(agent, url, seconds) for agent in agents))
    waits = [wait for agent in told for wait in agent]
    answered = sorted(wait for wait in waits if wait is not None)
    cuts = statistics.quantiles(answered, n=100) if len(answered) > 1 else [0.0] * 99
    return Figures(kind, len(waits), len(waits) - len(answered), cuts[49] * 1000, cuts[98] * 1000)


async def _calls(agent: aiohttp.ClientSession, url: str, seconds: float) -> list[float | None]:
    """The wait for the answer to each call, from when it was due; None where there was none."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    waits: list[float | None] = []
    for number in range(round(seconds * CALLS_PER_S)):
        await asyncio.sleep(begun + number / CALLS_PER_S - loop.time())
        due = perf_counter() - max(0.0, loop.time() - begun - number / CALLS_PER_S)
        try:
            async with agent.post(url, json=tool_call("get_code", id=number)) as response:
                is_answered = response.status == 200 and is_allowed(await response.json())
        except (aiohttp.ClientError, TimeoutError):
            is_answered = False
        waits.append(perf_counter() - due if is_answered else None)
    return waits


def main() -> int:
    """Flood as asked for; 1 where something went wrong, or honest agents waited too long."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seconds", type=float, nargs="?", default=20)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        figures, faults = asyncio.run(flood(Path(directory), counts=KINDS, seconds=args.seconds))
    for one in figures:
        print(one)
        added_ms = one.p99_ms - figures[0].p99_ms
        if added_ms > MOST_ADDED_MS:
            faults.append(f"{one.kind}: p99 is {added_ms:.0f} ms above that in peace")
    print("\n".join([f"{len(faults)} faults", *faults]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
