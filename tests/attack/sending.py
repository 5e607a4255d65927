"""Sends the cases to a gateway that runs as it does for its users, and says what came of each."""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.audit import reader
from tests.attack.cases import POLICIES, Case, message_of
from tests.support.gateways import write_config
from tests.support.processes import GatewayProcess
from tests.support.raw import CALL, Answered, RawAgent, post
from tests.support.upstream import ScriptedUpstream

HONEST: Final = post(body=CALL, Authorization="Bearer token-rules")
# The first round fills caches, pools and tables; what grows after it, grows for ever.
ROUNDS: Final = 4
GROWTH_BYTES: Final = 8 << 20
# Those that are closed at this moment still count. A leak would be one for each case.
GROWTH_FILES: Final = 16


class Row(msgspec.Struct):
    """One line of the summary."""

    item: int
    sent: str
    answered: str
    forwarded: str
    recorded: str
    faults: list[str] = msgspec.field(default_factory=list)
    """What must not have happened, in sentences."""


async def send_all(directory: Path, cases: list[Case], rounds: int = ROUNDS) -> tuple[list[Row], list[str]]:
    """Send each case so many times, each from an address of its own. The rows, and what is wrong with the whole."""
    upstream = ScriptedUpstream()
    await upstream.start()
    config = write_config(directory, upstream.url, POLICIES)
    sizes: list[tuple[int, int]] = []
    try:
        async with GatewayProcess(config) as process:
            listening = asyncio.ensure_future(process.listen())
            for _ in range(rounds):
                rows = [await _send(process.url, upstream, case, _address(n)) for n, case in enumerate(cases)]
                sizes.append(_size(process.pid))
                if any(row.faults for row in rows):
                    break
            listening.cancel()
            await asyncio.wait([listening])
            status = await process.stop()
    finally:
        await upstream.stop()
    _check_records(rows, cases, list(reader.records(directory / "state" / "audit")), len(sizes))
    faults = _growth(sizes[1:])
    if status != 0 or "Traceback" in process.output:
        faults.append(f"the gateway did not end well ({status}): {process.output[-2000:]}")
    return rows, faults


async def _send(url: str, upstream: ScriptedUpstream, case: Case, source: str) -> Row:
    """One case, and after it a call that is served as ever."""
    upstream.received.clear()
    async with RawAgent(url, source) as agent:
        agent.send(case.sent)
        answered = await agent.answer()
    received = [arrived.message for arrived in upstream.received]
    expected = [message_of(case)] if case.told == "allow" else []
    row = Row(case.item, case.name, str(answered.status), "yes" if received else "no", "")
    if answered.status != case.status:
        row.faults.append(f"answered with {answered.status} instead of {case.status}")
    if not _is_usable(answered, case):
        row.faults.append(f"the answer is of no use: {answered.body[:200]!r}")
    if received != expected:
        row.faults.append(f"the server received {str(received)[:200]}")
    async with RawAgent(url) as agent:
        agent.send(HONEST)
        honest = await agent.answer()
    if "isError" in honest.message.get("result", {"isError": True}):
        row.faults.append("the call after it was not served")
    return row


def _is_usable(answered: Answered, case: Case) -> bool:
    """Whether a client can tell the agent what happened, and to which request."""
    message = answered.message
    if message.get("jsonrpc") != "2.0":
        return False
    if "error" in message:
        return isinstance(message["error"]["code"], int) and len(message["error"]["message"]) > 10
    is_error = message["result"].get("isError", False)
    return message["id"] == message_of(case)["id"] and is_error is (case.told == "deny")


def _check_records(rows: list[Row], cases: list[Case], records: list[dict[str, Any]], rounds: int) -> None:
    """Each time a case was sent there has to be one record of it, that says so."""
    for number, (row, case) in enumerate(zip(rows, cases, strict=True)):
        told = [
            record.get("reason") if record["type"] == "refusal" else record["verdict"]
            for record in records
            if record["type"] in ("refusal", "decision") and record["peer"] == _address(number)
        ]
        row.recorded = " ".join(sorted({str(said) for said in told})) or "no"
        if told != [case.told] * rounds:
            row.faults.append(f"{len(told)} records in {rounds} rounds: {row.recorded}, not {case.told}")


def _address(number: int) -> str:
    """An address of loopback for one case."""
    return f"127.0.{1 + number // 250}.{1 + number % 250}"


def _size(pid: int) -> tuple[int, int]:
    """Resident bytes and descriptors of a process (Linux)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(list(Path(f"/proc/{pid}/fd").iterdir()))


def _growth(sizes: list[tuple[int, int]]) -> list[str]:
    """What must stay as it was after the second round."""
    if len(sizes) < 2:
        return []
    (first, files), (last, files_at_last) = sizes[0], sizes[-1]
    faults = []
    if last - first > GROWTH_BYTES:
        faults.append(f"memory has grown by {(last - first) >> 10} KiB in {len(sizes) - 1} rounds")
    if files_at_last - files > GROWTH_FILES:
        faults.append(f"{files_at_last - files} descriptors were left open")
    return faults
