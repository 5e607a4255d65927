"""What thousands of bad requests cost a gateway that runs as a process of its own."""

from pathlib import Path

import aiohttp

from tests.support.gateways import ACCEPT, SEED_POLICY, write_config
from tests.support.processes import GatewayProcess
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import eventually

HEADERS = {"Accept": ACCEPT, "Content-Type": "application/json"}
BAD = (
    ("Bearer token-seed", b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', 400),
    ("Bearer token-seed", b"[" * 100_000, 400),
    ("Bearer token-seed", b'{"' + b"x" * 500_000, 400),
    ("Bearer token-seed", "{}".encode("utf-16"), 400),
    ("Bearer token-seed", b'{"id":' + b"9" * 5000 + b"}", 400),
    ("Bearer of-bad-news", b"{}", 401),
)
ROUNDS = 100
ALLOWED_GROWTH_KIB = 16 * 1024


async def test_a_flood_of_bad_requests_leaves_nothing_behind(upstream: ScriptedUpstream, tmp_path: Path):
    """G9: each gets its 4xx, nothing is forwarded, and memory and descriptors are what they were after the first."""
    config = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY})
    async with GatewayProcess(config) as gateway:
        await flood(gateway.url, ROUNDS // 4)
        descriptors, resident = open_descriptors(gateway.pid), resident_kib(gateway.pid)
        await flood(gateway.url, ROUNDS)
        await eventually(lambda: open_descriptors(gateway.pid) <= descriptors)
        assert resident_kib(gateway.pid) - resident < ALLOWED_GROWTH_KIB
        assert await gateway.stop() == 0
    assert upstream.received == []


async def flood(url: str, rounds: int) -> None:
    """Send every bad request so many times, over connections of one client that is then gone."""
    async with aiohttp.ClientSession(headers=HEADERS) as client:
        for _ in range(rounds):
            for token, body, status in BAD:
                async with client.post(url, data=body, headers={"Authorization": token}) as answer:
                    assert answer.status == status


def open_descriptors(pid: int) -> int:
    """How many files and sockets the process has open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def resident_kib(pid: int) -> int:
    """How much memory the process has at this moment."""
    (line,) = (line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1])
