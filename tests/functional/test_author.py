"""The author's tools beside a gateway that runs."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import explain
from gateway.cli.main import main
from tests.functional.conftest import StartGateway
from tests.support.gateways import SEED_POLICY


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What a command says in JSON."""
    assert main([*arguments, "--json"]) == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


async def test_a_running_gateway_is_looked_at_and_left_alone(
    start_gateway: StartGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """Its counters are read while it holds them; nothing is spent, however often one asks."""
    gateway = await start_gateway({"seed": SEED_POLICY})
    monkeypatch.setattr(explain, "SystemClock", lambda: gateway.clock)
    for number in range(4):
        await gateway.call(id=number)
    config = str(tmp_path / "gateway.json")
    for _ in range(3):
        explained = await asyncio.to_thread(told, capsys, "explain", "cancel_task", "--config", config)
        limit = explained["steps"][-1]["limit"]
        assert (limit["remaining"], limit["wait_ms"], explained["notes"]) == (6, 0, [])
    for number in range(6):
        await gateway.call(id=number)
    explained = await asyncio.to_thread(told, capsys, "explain", "cancel_task", "--config", config)
    assert explained["decision"]["verdict"] == "throttle"
    assert explained["steps"][-1]["limit"]["wait_ms"] == 60_000
