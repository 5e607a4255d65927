"""`gateway serve`: when it refuses to start, and what it says. Its running is shown in tests/functional."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.cli.serve import start_line
from gateway.config import load_config
from tests.support.gateways import SEED_POLICY, write_config
from tests.support.processes import GatewayProcess


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose server nobody needs."""
    return write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": SEED_POLICY, "other": SEED_POLICY})


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the gateway to its end."""
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | environment, timeout=30, check=False
    )


@pytest.mark.parametrize("command", ["serve", "demo up"])
def test_without_aiohttps_c_parser_nothing_is_served(config: Path, tmp_path: Path, command: str):
    """Every way of serving refuses the slow parser with the way out, unless it was asked for in the open."""
    arguments = {
        "serve": ["serve", "--config", str(config)],
        "demo up": ["demo", "up", "--free-ports", "--directory", str(tmp_path)],
    }
    ended = run(*arguments[command], AIOHTTP_NO_EXTENSIONS="1")
    assert ended.returncode == 1
    assert "without its C parser" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_missing_config_is_named(tmp_path: Path):
    """The error names the file."""
    ended = run("serve", "--config", str(tmp_path / "nothing.yaml"))
    assert ended.returncode == 1
    assert "nothing.yaml" in ended.stderr


def test_help_says_what_the_file_holds(capsys: pytest.CaptureFixture[str]):
    """A newcomer learns what the configuration is for and how to check it."""
    with pytest.raises(SystemExit, match="0"):
        main(["serve", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--config FILE listeners, servers, policies and grants, as YAML, JSON or TOML" in text
    assert "gateway.yaml" in text


def test_the_start_line_has_all_that_one_needs_to_connect(config: Path):
    """The agents' URL with its paths, the other listener, what is behind them, and what it runs on."""
    line = start_line(load_config(config), "http://127.0.0.1:8080", "http://127.0.0.1:9901")
    assert line == (
        "agents: http://127.0.0.1:8080/mcp and /mcp/binassist  admin: http://127.0.0.1:9901  servers: binassist  "
        f"grants: 2  core: cython  state: {config.parent / 'state'}"
    )


def test_with_several_servers_the_start_line_has_a_path_for_each(tmp_path: Path):
    """Where `/mcp` would be ambiguous only the servers' own paths are named."""
    path = tmp_path / "gateway.yaml"
    path.write_text("servers: {a: {url: 'http://127.0.0.1:1/mcp'}, b: {url: 'http://127.0.0.1:2/mcp'}}")
    path.chmod(0o600)
    line = start_line(load_config(path), "http://127.0.0.1:8080", "http://127.0.0.1:9901")
    assert line.startswith("agents: http://127.0.0.1:8080/mcp/a and /mcp/b  admin: ")
    assert "  servers: a, b  grants: 0  " in line


async def test_the_plain_core_runs_when_asked_for_in_the_open(config: Path, monkeypatch: pytest.MonkeyPatch):
    """`GATEWAY_NO_EXTENSIONS=1` starts without compiled code; the log warns of it and the metrics say so."""
    monkeypatch.setenv("GATEWAY_NO_EXTENSIONS", "1")
    async with GatewayProcess(config) as process:
        assert "WARNING gateway.cli.serve: GATEWAY_NO_EXTENSIONS=1: the plain core is in use" in process.output
        assert "core: python" in process.output
        assert 'core="python"' in await process.metrics()
        assert await process.stop() == 0


async def test_for_stdio_alone_a_state_directory_in_use_is_no_failure(config: Path):
    """It is told apart from what a second attempt would not mend."""
    async with GatewayProcess(config):
        ended = await asyncio.to_thread(run, "serve", "--config", str(config), "--stdio-only")
    assert ended.returncode == 75
    assert "in use by another gateway" in ended.stdout
    (config.parent / "state" / "counters").write_text("not a counter file")
    ended = await asyncio.to_thread(run, "serve", "--config", str(config), "--stdio-only")
    assert (ended.returncode, "not a counter file" in ended.stderr) == (1, True)
