"""A short storm of reloads, and that its judge notices what it is there for."""

from pathlib import Path
from typing import Any

import pytest

from tests.storm.run import GRANTS, LIMITED_EVERY, MAXIMA, judged, storm


async def test_no_call_is_lost_or_judged_twice_over_and_no_budget_is_gained(tmp_path: Path):
    """Whatever is in force decides, one call after the other, and each `max` is kept to the call."""
    account = await storm(tmp_path, reloads=100, agents=8)
    assert account.faults == [], str(account)
    # Enough for every `max` to be reached while they change.
    assert account.calls > LIMITED_EVERY * len(GRANTS) * max(MAXIMA), str(account)


def decision(revision: str, verdict: str = "allow", target: str = "cancel_task") -> dict[str, Any]:
    """A record of one call."""
    return {
        "type": "decision", "id": "x", "grant": "alice", "revision": revision, "verdict": verdict, "rule": "",
        "target": target,
    }  # fmt: skip


def reload(revision: str) -> dict[str, Any]:
    """A record of one reload."""
    return {"type": "reload", "policies": dict.fromkeys(GRANTS, revision)}


FULL = [decision("a")] * MAXIMA[0]


@pytest.mark.parametrize(
    ("records", "faults"),
    [
        ([*FULL, decision("a", "throttle")], 0),
        ([*FULL, decision("a")], 1),
        ([decision("a"), decision("a", "throttle")], 1),
        ([decision("a"), reload("b"), decision("a")], 1),
        ([*FULL, reload("b"), decision("b", "throttle"), reload("c"), *[decision("c")] * (MAXIMA[2] - MAXIMA[0])], 0),
        ([*FULL, reload("b"), decision("b", "throttle"), reload("a"), decision("a")], 1),
        ([decision("a", "deny", "list_tasks")], 1),
    ],
    ids=["exact", "one too many", "one too few", "by an old policy", "raised", "gained", "refused without reason"],
)
def test_the_judge_notices(records: list[dict[str, Any]], faults: int):
    """Each kind of fault is one."""
    assert len(list(judged(records))) == faults
