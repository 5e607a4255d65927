"""Grants for tests, whose counters live in plain memory."""

from collections.abc import Iterator
from typing import Any

from gateway.policy.engine import NO_POLICY
from gateway.policy.limits import Counter
from gateway.policy.memory_budget import MemoryBudget
from gateway.proxy.identity import Grant
from gateway.tokens import token_digest
from tests.support.policies import engine

SEED_TOOLS: dict[str, Any] = {
    "cancel_task": {"limits": [{"counter": "cancel_task_rate", "window": "minute", "max": 10, "scope": "grant"}]}
}


class UnmeasuredBudget(MemoryBudget):
    """A budget of which no metric tells how much is left."""

    def headroom(self, now_ns: int, wall_ns: int) -> Iterator[tuple[Counter, float]]:
        """Nothing."""
        return iter(())


def grant(
    label: str = "alice",
    *,
    server: str = "binassist",
    token: str = "token-alice",
    expires_ns: int | None = None,
    **policy: Any,
) -> Grant:
    """A grant whose policy has these fields: `default: deny` unless said otherwise."""
    judge = engine(**policy)
    budget = UnmeasuredBudget(judge.policy.counters)
    return Grant(label, server, "test-policy", token_digest(token), expires_ns, judge, budget)


def bare_grant() -> Grant:
    """A grant without a policy."""
    return Grant("bare", "binassist", "", token_digest("token-bare"), None, NO_POLICY, UnmeasuredBudget(()))
