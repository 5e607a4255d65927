"""A command as a process for as long as a block runs."""

import os
from pathlib import Path

import pytest

from gateway.cli import background
from gateway.errors import GatewayError


def test_the_block_begins_when_it_is_ready_and_its_end_stops_it(tmp_path: Path):
    """Readiness is asked for until it is there; afterwards nothing is left running."""
    lock = tmp_path / "demo.lock"
    command = ["demo", "up", "--free-ports", "--directory", str(tmp_path)]
    with background.running("the gateway", command, (tmp_path / "mcp.json").exists):
        process_id = int(lock.read_text())
        os.kill(process_id, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)


def test_one_that_ends_early_is_named(capfd: pytest.CaptureFixture[str]):
    """The error says what did not start, and the command's own words stand above it."""
    with (
        pytest.raises(GatewayError, match="the thing did not start; see what it printed above"),
        background.running("the thing", ["check", "nothing.yaml"], lambda: False),
    ):
        pass
    assert "nothing.yaml" in capfd.readouterr().err
