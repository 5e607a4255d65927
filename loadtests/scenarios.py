"""The scenarios as data: who calls, by what policy, and what must hold. No locust in here.

The behaviour of each is in the locust file of its name; `run` brings both together, `verdict` judges.
"""

from typing import Any, Final

import msgspec

READ: Final = "get_code"
WRITE: Final = "rename_symbol"
EXECUTE: Final = "run_script"
FORBIDDEN: Final = "load_binary"
"""What no policy here lists: it must never arrive."""
STREAMED: Final = "watch_analysis"
"""What the server answers slowly, with events before the answer."""
APPROVED: Final = "delete_binary"
TOOLS: Final = (READ, WRITE, EXECUTE, FORBIDDEN, STREAMED, APPROVED)

STREAM_EVENTS: Final = 10
STREAM_PAUSE_S: Final = 0.05

# The name of the calls of fan-out once the storm is over, without and with the runaway. Their p99 are compared.
STEADY: Final = "call in calm"
DISTURBED: Final = "call beside the runaway"
RUNAWAY: Final = "runaway"


class Scenario(msgspec.Struct, frozen=True):
    """One scenario at its full size."""

    name: str
    """Also of its locust file, with `_` for `-`."""
    users: int
    grants: int
    """Users share them in turn."""
    seconds: int
    policy: dict[str, Any]
    p99_ms: dict[str, int]
    """The most that one request in a hundred may take longer than, by the request's name in locust's tables."""
    p99_ratio: float | None = None
    """The most by which the runaway may raise the others' p99."""
    extra_grants: tuple[str, ...] = ()
    answers_as_sse: bool = False

    @property
    def labels(self) -> list[str]:
        """The labels of its grants."""
        return [*(f"agent-{number:03}" for number in range(self.grants)), *self.extra_grants]

    @property
    def file(self) -> str:
        """Its locust file."""
        return f"loadtests/{self.name.replace('-', '_')}.py"

    def smoke(self) -> "Scenario":
        """The same, small and short."""
        divisor = 1 if self.users <= 30 else 10
        return msgspec.structs.replace(
            self, users=self.users // divisor, grants=max(1, self.grants // divisor), seconds=3
        )


def _limit(counter: str, window: str, most: int, **more: Any) -> dict[str, Any]:
    return {"limits": [{"counter": counter, "window": window, "max": most, "scope": "grant", **more}]}


def _policy(**tools: Any) -> dict[str, Any]:
    return {"version": "1", "default": "deny", "tools": {READ: {}, **tools}}


_ALL: Final = (
    Scenario(
        "agents",
        users=30,
        grants=30,
        seconds=20,
        policy=_policy(
            **{
                WRITE: _limit("writes", "5s", 2),
                EXECUTE: _limit("scripts", "5s", 2, algorithm="token_bucket", burst=1),
            }
        ),
        p99_ms={"call": 25},
    ),
    Scenario(
        "fan-out",
        users=500,
        grants=500,
        seconds=30,
        policy=_policy(**{WRITE: _limit("writes", "day", 5)}),
        p99_ms={STEADY: 25},
        p99_ratio=1.2,
        extra_grants=(RUNAWAY,),
    ),
    Scenario(
        "streams",
        users=30,
        grants=10,
        seconds=15,
        policy=_policy(**{STREAMED: {"concurrency": 2} | _limit("streams", "day", 20)}),
        # Half a second of it is the server's.
        p99_ms={"stream": 600},
    ),
    Scenario(
        "mixed-eras",
        users=30,
        grants=6,
        seconds=15,
        policy=_policy(
            **{
                WRITE: _limit("writes", "day", 10),
                EXECUTE: _limit("scripts", "5s", 4, scope="server", algorithm="fixed_window"),
            }
        ),
        p99_ms={"call": 25},
        answers_as_sse=True,
    ),
    Scenario(
        "approvals",
        users=10,
        grants=5,
        seconds=15,
        policy=_policy(**{APPROVED: {"action": "require_approval", "approval": {"expires": "10m", "hold": "1s"}}}),
        p99_ms={"call": 25},
    ),
)
SCENARIOS: Final = {scenario.name: scenario for scenario in _ALL}
