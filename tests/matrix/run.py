"""`python -m tests.matrix.run`: the official clients, one after the other, before one gateway, and their matrix.

Starts the fixture server of the conformance suite and a gateway before it, as processes. What they wrote stays
in the output directory.
"""

import argparse
import asyncio
import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from mcp import Client

from gateway.audit import reader
from tests.conformance.run import running
from tests.conformance.server.app import build_server
from tests.conformance.suite import SuiteError, find_node
from tests.matrix.gaps import CANCEL_ARRIVES, CLOSE, GAPS, ONE_SESSION
from tests.matrix.judging import Row, judge, possible
from tests.matrix.operations import NAMES, POLICY
from tests.support.agents import PYTHON_AGENTS, PYTHON_STDIO_AGENTS, Account, Agent, node_agents, stdio_command, take
from tests.support.gateways import write_config

COLUMNS: Final = (*NAMES, CANCEL_ARRIVES, ONE_SESSION, CLOSE)


def play(agents: Sequence[Agent], out: Path) -> list[Row]:
    """Take each agent, with a grant of its own, through all that it can do. `out` is emptied first.

    Raises `SuiteError` when the server or the gateway does not start.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tools = asyncio.run(_tools())
    with running("tests.conformance.server", ready=r"fixture: (\S+)", log=out / "fixture.log") as server_url:
        config = write_config(out.resolve(), server_url, {agent.label: POLICY for agent in agents})
        with running(
            "gateway", "serve", "--config", str(config), ready=r"agents: (\S+)", log=out / "gateway.log"
        ) as url:
            accounts = [asyncio.run(_account(agent, url, config, tools)) for agent in agents]
    journal = list(reader.records(out / "state" / "audit"))
    return [judge(agent, tools, account, journal) for agent, account in zip(agents, accounts, strict=True)]


def report(rows: Sequence[Row]) -> str:
    """The matrix as a Markdown table, then what is not as it should be, then what cannot be."""
    lines = [*_table(rows), "", *_complaints(rows), *_gaps(rows)]
    return "\n".join(lines)


async def _tools() -> list[str]:
    """What the server has when nobody filters it."""
    async with Client(build_server()) as client:
        return [tool.name for tool in (await client.list_tools()).tools]


async def _account(agent: Agent, url: str, config: Path, tools: list[str]) -> Account:
    steps = [step for script in possible(agent, tools).values() for step, _ in script]
    where = json.dumps(stdio_command(config, agent.label)) if agent.is_stdio else url
    return await take(agent, where, f"token-{agent.label}", steps)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    width = max(map(len, ["client", *(row.client for row in rows)]))
    yield f"| {'client':{width}} | {' | '.join(COLUMNS)} |"
    yield f"|{'-' * (width + 2)}|{'|'.join('-' * (len(column) + 2) for column in COLUMNS)}|"
    for row in rows:
        cells = " | ".join(f"{_mark(row, column):{len(column)}}" for column in COLUMNS)
        yield f"| {row.client:{width}} | {cells} |"


def _mark(row: Row, column: str) -> str:
    if column not in row.cells:
        return "-"
    return "NO" if row.cells[column] else "yes"


def _complaints(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        yield from (f"- {row.client}, {column}: {cell}" for column, cell in row.cells.items() if cell)


def _gaps(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        gaps = GAPS.get(row.client, {})
        for reason in dict.fromkeys(gaps.values()):
            columns = ", ".join(column for column, why in gaps.items() if why == reason)
            yield f"- {row.client} cannot do {columns}: it {reason}"


def main() -> int:
    """0 when every cell is as it should be, else 1."""
    parser = argparse.ArgumentParser(description="Put the official clients before a gateway, and print their matrix.")
    parser.add_argument("--install", type=Path, required=True, help="the directory that npm installed the clients into")
    parser.add_argument("--node", type=Path, required=True, help="the directory that npm installed a Node into")
    parser.add_argument("--out", type=Path, required=True, help="where to keep logs and audit records")
    args = parser.parse_args()
    try:
        with_node = node_agents(find_node(args.node.resolve()), args.install.resolve())
        agents = (*PYTHON_AGENTS, *PYTHON_STDIO_AGENTS, *with_node)
        rows = play(agents, args.out)
    except SuiteError as error:
        print(error, file=sys.stderr)
        return 1
    print(report(rows))
    return int(any(cell for row in rows for cell in row.cells.values()))


if __name__ == "__main__":
    sys.exit(main())
