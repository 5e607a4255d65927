"""The single point of enforcement: a grant and a message in, a decision out. Nothing is awaited here.

Every transport asks this gate; there is no other way to the server.
"""

import logging
from typing import assert_never

from gateway import fastpath
from gateway.clock import Clock
from gateway.mcp.message import Message, Request
from gateway.mcp.methods import LEGACY_TASK_METHODS, METHODS, Governance
from gateway.mcp.versions import Era
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.policy.limits import Counter
from gateway.proxy.identity import Grant
from gateway.proxy.task_handles import TaskHandles
from gateway.store.counters import CounterSpec, CounterStore

logger = logging.getLogger(__name__)

_PROTOCOL = Decision(Verdict.ALLOW, names.PROTOCOL)
_UNKNOWN_TASK = Decision(Verdict.DENY, names.UNKNOWN_TASK, "Unknown task")
_UNKNOWN_METHOD = Decision(Verdict.DENY, names.UNKNOWN_METHOD, "Method not found")
_BROKEN = Decision(Verdict.ERROR, names.INTERNAL_ERROR, "The gateway could not judge this call, so it was not run.")


class GrantBudget:
    """The counters of one grant: where in the table each one lives, found at its first use."""

    def __init__(
        self, store: CounterStore, server: str, policy: str, grant: str, counters: tuple[Counter, ...]
    ) -> None:
        self.words = store.words
        self.slots = fastpath.Slots(len(counters))
        self._store = store
        self._counters = counters
        self._owner = (server, policy, grant)

    def bind(self, slot: int) -> None:
        """Find or make the block of the counter in `slot`. Raises `CountersFullError`."""
        counter = self._counters[slot]
        server, policy, grant = self._owner
        spec = CounterSpec(counter.kind, counter.window_ns, counter.maximum, counter.burst)
        self.slots.bind(slot, *self._store.bind((server, policy, counter.name, grant), spec))


class Gate:
    """Decides on messages, and gives back what was spent on calls that cannot have run."""

    def __init__(self, clock: Clock, task_handles: TaskHandles) -> None:
        self._clock = clock
        self._task_handles = task_handles

    def decide(self, grant: Grant, message: Message, era: Era = Era.LEGACY, *, is_approved: bool = False) -> Decision:
        """Judge one message, which a person may have approved. Never raises: what cannot be judged is refused."""
        try:
            return self._decide(grant, message, era, is_approved=is_approved)
        except Exception:
            logger.exception("judging a message failed")
            return _BROKEN

    def settle(self, grant: Grant, decision: Decision) -> bool:
        """Give back what the decision spent, for a call that cannot have run. False when that was nothing."""
        if not decision.receipt:
            return False
        fastpath.rollback(grant.budget.words, decision.receipt, self._clock.monotonic_ns())
        return True

    def _decide(self, grant: Grant, message: Message, era: Era, *, is_approved: bool) -> Decision:
        if not isinstance(message, Request):
            return _PROTOCOL
        governance = METHODS.get(message.method)
        match governance:
            case None:
                return _UNKNOWN_METHOD
            case Governance.TOOL_CALL:
                if grant.pins is not None and (refusal := grant.pins.refusal(message.target)):
                    return refusal
                now_ns, wall_ns = self._clock.monotonic_ns(), self._clock.wall_ns()
                return grant.engine.decide(
                    message.target, message.arguments, grant.budget, now_ns, wall_ns, is_approved=is_approved
                )
            case Governance.RESOURCE | Governance.PROMPT | Governance.COMPLETION:
                return self._by_default(grant, message)
            case Governance.TOOL_LIST | Governance.RESOURCE_LIST | Governance.PROMPT_LIST:
                return _PROTOCOL
            case Governance.PROTOCOL:
                return _PROTOCOL
            case Governance.TASK:
                return self._by_owner(grant, message, era)
            case _:
                assert_never(governance)

    def _by_owner(self, grant: Grant, request: Request, era: Era) -> Decision:
        """A list of tasks is filtered; one task is for the grant that was given it."""
        if era is Era.MODERN and request.method in LEGACY_TASK_METHODS:
            return _UNKNOWN_METHOD
        is_list = request.method == "tasks/list"
        if is_list or self._task_handles.owns(grant.server, grant.label, request.target):
            return _PROTOCOL
        return _UNKNOWN_TASK

    def _by_default(self, grant: Grant, request: Request) -> Decision:
        if grant.engine.default_allows:
            return Decision(Verdict.ALLOW, names.DEFAULT_ALLOW)
        return Decision(Verdict.DENY, names.DEFAULT_DENY, f"{request.method} is not allowed by this policy.")
