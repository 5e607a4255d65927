"""`gateway demo tour`: a demo server and a gateway of its own, shown by the official client, then the audit lines."""

import argparse
import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from gateway.audit import reader
from gateway.cli import background, demo_up, extra


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `tour` to the actions of `demo`."""
    actions.add_parser(
        "tour",
        help="show the official client at a gateway of its own, in a table",
        description="Start a stand-in and a gateway on free ports, and show in a table what the official client sees. "
        "The exit code is 0 if all of it is as promised.",
    )


def run(args: argparse.Namespace) -> int:
    """Show the tour; 1 when something was not as promised. Raises `GatewayError` when nothing can be started."""
    tour = extra.load("gateway.demo.tour", "demo")
    with tempfile.TemporaryDirectory(prefix="gateway-tour-") as name:
        folder = Path(name)
        client_config = demo_up.client_config_path(folder)
        up = ["demo", "up", "--free-ports", "--directory", name]
        with background.running("the gateway", up, client_config.exists):
            agents = json.loads(client_config.read_text())["mcpServers"]
            upstream = json.loads(demo_up.config_path(folder).read_text())["servers"]["binassist"]["url"]
            is_as_promised = asyncio.run(
                tour.show(upstream, agents["binassist-cancel-only"], agents["binassist-analyst"])
            )
            _show_audit(demo_up.journal_directory(folder))
    return 0 if is_as_promised else 1


def _show_audit(journal: Path) -> None:
    """The decisions on the limited grant's calls, from the tenth `cancel_task` on."""
    records = reader.records(journal)
    calls = [
        record
        for record in records
        if record["type"] == "decision" and record["grant"] == "cancel-only" and record["method"] == "tools/call"
    ]
    print("\nwhat the audit journal says of cancel-only's calls, from the tenth on:")
    for record in calls[9:]:
        print(" ", _audit_line(record))


def _audit_line(record: dict[str, Any]) -> str:
    wait = f"  retry_after_ms={record['retry_after_ms']}" if "retry_after_ms" in record else ""
    return f"{record['time']}  {record['target']:<13}  {record['verdict']:<8}  {record['rule']}{wait}"
