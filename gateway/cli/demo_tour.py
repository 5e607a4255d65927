"""`gateway demo tour`: a demo server and a gateway of its own, shown by the official client, then the audit lines."""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from gateway.cli import extra
from gateway.cli.demo_up import client_config_path, config_path, wait_until

_AUDIT_LINES: Final = 4


def run(args: argparse.Namespace) -> int:
    """Show the tour; 1 when something was not as promised. Raises `GatewayError` when nothing can be started."""
    tour = extra.load("gateway.demo.tour", "demo")
    with tempfile.TemporaryDirectory(prefix="gateway-tour-") as folder, _pair(Path(folder)):
        servers = json.loads(client_config_path(Path(folder)).read_text())["mcpServers"]
        upstream = json.loads(config_path(Path(folder)).read_text())["servers"]["binassist"]["url"]
        is_as_promised = asyncio.run(
            tour.show(upstream, servers["binassist-cancel-only"], servers["binassist-analyst"])
        )
        _show_audit(Path(folder) / "state" / "audit" / "journal.jsonl")
    return 0 if is_as_promised else 1


@contextlib.contextmanager
def _pair(folder: Path) -> Iterator[None]:
    """A demo server and a gateway on free ports, with their files in `folder`."""
    command = [sys.executable, "-m", "gateway", "demo", "up", "--free-ports", "--directory", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until(client_config_path(folder).exists, process, "the gateway")
        yield
    finally:
        process.terminate()
        process.wait()


def _show_audit(journal: Path) -> None:
    print(f"\nthe last {_AUDIT_LINES} lines of the audit journal:")
    for line in journal.read_text().splitlines()[-_AUDIT_LINES:]:
        print(" ", line)
