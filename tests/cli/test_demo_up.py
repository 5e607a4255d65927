"""`gateway demo up`: a newcomer's first command."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli import demo_up
from gateway.cli.main import main
from tests.support.processes import CommandProcess


def demo(directory: Path) -> CommandProcess:
    """The command, on free ports."""
    return CommandProcess("demo", "up", "--free-ports", "--directory", str(directory), ready="make demo")


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port on loopback that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


async def test_it_prints_what_a_newcomer_needs_and_keeps_the_tokens(tmp_path: Path):
    """URL, tokens and a client configuration that stays valid over a restart; the files are private."""
    seen = []
    for _ in range(2):
        async with demo(tmp_path) as up:
            assert await up.stop() == 0
        assert "/mcp" in up.output
        assert "grant cancel-only" in up.output
        seen.append(json.loads(demo_up.client_config_path(tmp_path).read_text())["mcpServers"])
    first, second = seen
    assert first.keys() == {"binassist-cancel-only", "binassist-analyst"}
    assert [entry["headers"] for entry in first.values()] == [entry["headers"] for entry in second.values()]
    for path in (demo_up.client_config_path(tmp_path), demo_up.config_path(tmp_path)):
        assert path.stat().st_mode & 0o777 == 0o600
    assert "gw_" not in demo_up.config_path(tmp_path).read_text()


def documents(directory: Path) -> dict[Path, bytes]:
    """What the command has written for itself and for agents."""
    return {path: path.read_bytes() for path in directory.glob("*.json")}


async def test_a_second_one_says_where_the_first_one_is(tmp_path: Path):
    """What the first one runs on stays as it is, and the second one names the file to connect with."""
    async with demo(tmp_path):
        before = documents(tmp_path)
        second = demo(tmp_path)
        with pytest.raises(RuntimeError, match=r"already running; connect to what .*mcp\.json names"):
            await second.__aenter__()
        assert await second.ended() == 1
        assert "Traceback" not in second.output
        assert documents(tmp_path) == before


def test_a_directory_that_cannot_be_made_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """The error names it, and the option that chooses another."""
    (tmp_path / "file").touch()
    assert main(["demo", "up", "--directory", str(tmp_path / "file")]) == 1
    assert capsys.readouterr().err.endswith("file: File exists; choose another with --directory\n")


def test_a_port_that_is_taken_is_told(taken_port: int, capsys: pytest.CaptureFixture[str]):
    """Another one is used, and a line says which, so that nobody connects to a stranger."""
    ports = demo_up.choose_ports({"agents": taken_port, "admin": 0})
    assert ports["agents"] not in (taken_port, 0)
    told = f"Port {taken_port} is taken: agents connect to {ports['agents']} instead.\n"
    assert capsys.readouterr() == (told, "")
