"""The author's tools beside a gateway that runs."""

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import explain
from gateway.cli.main import main
from tests.functional.conftest import StartGateway
from tests.support.gateways import SEED_POLICY, decision_of


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


RECORDED: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {
        "comments": {
            "require": [{"conditions": [{"path": "args.n", "op": "lt", "value": 5}]}],
            "deny_if": [{"conditions": [{"path": "args.action", "op": "eq", "value": "remove"}]}],
            "limits": [
                {"counter": "calls", "window": "minute", "max": 3},
                {"counter": "sum", "window": "hour", "max": 12, "increment_from": "args.n"},
                {"counter": "all", "window": "hour", "max": 6, "scope": "server", "algorithm": "token_bucket"},
            ],
            "audit": {"keep": ["args.n", "args.action"]},
        },
        "get_*": {"limits": [{"counter": "gets", "window": "minute", "max": 2, "scope": "session"}]},
    },
}


async def test_a_replay_under_its_own_policy_changes_nothing(
    start_gateway: StartGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """Random traffic through a real gateway is judged as it was then; a draft changes what it should."""
    gateway = await start_gateway({"alice": RECORDED, "bob": RECORDED})
    traffic = random.Random(7)
    for number in range(120):
        tool = traffic.choice(["comments", "comments", "get_code", "other"])
        arguments = {"n": traffic.choice([0, 1, 2, 6, "1"]), "action": traffic.choice(["get", "set", "remove"])}
        await gateway.call(tool, arguments, id=number, grant=traffic.choice(["alice", "bob"]))
        gateway.clock.advance(seconds=traffic.choice([0, 0.25, 7, 31]))
    draft = tmp_path / "draft.json"
    config = str(tmp_path / "gateway.json")
    replay = ["replay", "--config", config, "--since", "2027-01-01T00:00:00Z", "--policy", str(draft)]

    def judged(policy: dict[str, Any]) -> dict[str, Any]:
        draft.write_text(json.dumps(policy))
        draft.chmod(0o600)
        return told(capsys, *replay)

    same = judged(RECORDED)
    assert [(each["then"], each["now"], each["unknown"]) for each in same["calls"]] == []
    assert same["judged"] == 120
    denied = judged({**RECORDED, "tools": {**RECORDED["tools"], "get_*": {"action": "deny"}}})
    assert denied["undecidable"] == 0
    assert denied["sums"]["target"] == {"get_code": denied["changed"]}
    assert denied["changed"] > 0


async def test_a_recorded_decision_is_explained_by_the_id_that_the_agent_got(
    start_gateway: StartGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """By the policy of that time and the values that were kept."""
    gateway = await start_gateway({"seed": RECORDED})
    id = decision_of(await gateway.call("comments", {"n": 1, "action": "remove"}))["id"]
    explained = told(capsys, "explain", "--decision", id, "--config", str(tmp_path / "gateway.json"))
    decisive = [step["rule"] for step in explained["steps"] if step["is_decisive"]]
    assert decisive == [explained["decision"]["rule"]] == ["/tools/comments/deny_if/args.action-eq"]
    assert (explained["id"], explained["grant"]) == (id, "seed")
