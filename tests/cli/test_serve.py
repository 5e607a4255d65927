"""`gateway serve`: when it refuses to start, and what it says. Its running is shown in tests/functional."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.gateways import SEED_POLICY, write_config
from tests.support.processes import GatewayProcess


def serve(config: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    command = [sys.executable, "-m", "gateway", "serve", "--config", str(config)]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=30, check=False
    )


def test_without_aiohttps_c_parser_it_does_not_start(tmp_path: Path):
    """The slow parser is refused with the way out, unless it was asked for in the open."""
    ended = serve(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": SEED_POLICY}), AIOHTTP_NO_EXTENSIONS="1")
    assert ended.returncode == 1
    assert "without its C parser" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_config_is_named(tmp_path: Path):
    """The error names the file."""
    ended = serve(tmp_path / "nothing.yaml")
    assert ended.returncode == 1
    assert "nothing.yaml" in ended.stderr


async def test_the_plain_core_runs_when_asked_for_in_the_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`GATEWAY_NO_EXTENSIONS=1` starts without compiled code, and the metrics say so."""
    monkeypatch.setenv("GATEWAY_NO_EXTENSIONS", "1")
    process = GatewayProcess(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": SEED_POLICY}))
    await process.start()
    metrics = await process.metrics()
    assert 'core="python"' in metrics
    assert await process.stop() == 0
