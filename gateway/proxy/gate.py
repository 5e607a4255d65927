"""The single point of enforcement: a grant and a message in, a decision out. Nothing is awaited here.

Every transport asks this gate; there is no other way to the server.
"""

import logging
from typing import assert_never

import msgspec

from gateway import fastpath
from gateway.clock import Clock
from gateway.mcp.message import Message, Request
from gateway.mcp.methods import LEGACY_TASK_METHODS, METHODS, Governance
from gateway.mcp.versions import Era
from gateway.policy import names
from gateway.policy.decision import Call, Decision, Kind, Verdict
from gateway.proxy.answer_filter import AnswerFilter
from gateway.proxy.calls import call_of, reference_of, resources_in
from gateway.proxy.identity import Grant
from gateway.proxy.in_flight import InFlight
from gateway.proxy.rounds import Rounds
from gateway.proxy.task_handles import TaskHandles

logger = logging.getLogger(__name__)

_PROTOCOL = Decision(Verdict.ALLOW, names.PROTOCOL)
_UNKNOWN_TASK = Decision(Verdict.DENY, names.UNKNOWN_TASK, "Unknown task")
_UNKNOWN_METHOD = Decision(Verdict.DENY, names.UNKNOWN_METHOD, "Method not found")
_BROKEN = Decision(Verdict.ERROR, names.INTERNAL_ERROR, "The gateway could not judge this call, so it was not run.")


class Gate:
    """Decides on messages, and gives back what was spent on calls that cannot have run."""

    def __init__(self, clock: Clock, task_handles: TaskHandles, in_flight: InFlight) -> None:
        self._clock = clock
        self._task_handles = task_handles
        self._in_flight = in_flight
        self._rounds = Rounds(clock)

    def decide(
        self,
        grant: Grant,
        message: Message,
        era: Era = Era.LEGACY,
        *,
        session: str | None = None,
        is_approved: bool = False,
    ) -> Decision:
        """Judge one message. Never raises: what cannot be judged is refused.

        `session` is that of a legacy agent. An allowed call has taken the places that its decision names under
        `holds`; whoever sees to its exchange gives them back with `release`.
        """
        try:
            return self._decide(grant, message, era, session, is_approved)
        except Exception:
            logger.exception("judging a message failed")
            return _BROKEN

    def settle(self, grant: Grant, decision: Decision) -> bool:
        """Give back what the decision spent, for a call that cannot have run. False when that was nothing."""
        if not decision.receipt:
            return False
        fastpath.rollback(grant.budget.words, decision.receipt, self._clock.monotonic_ns())
        return True

    def release(self, grant: Grant, decision: Decision) -> None:
        """Give back the places that an allowed call has held, once, when it is no longer under way."""
        self._in_flight.give_back((grant.server, grant.label), [hold.name for hold in decision.holds])

    def watch(
        self, grant: Grant, request: Request, decision: Decision, then: AnswerFilter | None
    ) -> AnswerFilter | None:
        """What looks into the answer to an allowed call of a modern agent's, before `then`: it may open a round."""
        if METHODS.get(request.method) is not Governance.TOOL_CALL:
            return then
        # Where nothing is counted, no round need be free.
        is_counted = decision.receipt or "requestState" in request.params
        return self._rounds.watch(grant.server, grant.label, request, then) if is_counted else then

    def _decide(self, grant: Grant, message: Message, era: Era, session: str | None, is_approved: bool) -> Decision:
        if not isinstance(message, Request):
            return _PROTOCOL
        governance = METHODS.get(message.method)
        match governance:
            case None:
                return _UNKNOWN_METHOD
            case Governance.TOOL_CALL | Governance.RESOURCE | Governance.PROMPT:
                call = call_of(message)
                if governance is Governance.TOOL_CALL and grant.pins is not None:
                    refusal = grant.pins.refusal(message.target)
                    if refusal is not None:
                        return refusal
                if call is None:
                    return grant.engine.access(Kind.RESOURCE, message.target)
                is_free = era is Era.MODERN and self._rounds.is_open(grant.server, grant.label, message)
                call = msgspec.structs.replace(call, is_approved=is_approved, is_free=is_free)
                return self._by_rules(grant, message, call, session if era is Era.LEGACY else None)
            case Governance.COMPLETION:
                return grant.engine.access(*reference_of(message))
            case Governance.SUBSCRIPTION:
                named = (grant.engine.access(Kind.RESOURCE, uri) for uri in resources_in(message))
                return next((access for access in named if access.verdict is not Verdict.ALLOW), _PROTOCOL)
            case Governance.TOOL_LIST | Governance.RESOURCE_LIST | Governance.PROMPT_LIST:
                return _PROTOCOL
            case Governance.PROTOCOL:
                return _PROTOCOL
            case Governance.TASK:
                return self._by_owner(grant, message, era)
            case _:
                assert_never(governance)

    def _by_rules(self, grant: Grant, request: Request, call: Call, session: str | None) -> Decision:
        now_ns, wall_ns = self._clock.monotonic_ns(), self._clock.wall_ns()
        decision = grant.engine.decide(call, grant.budget.in_session(session, now_ns), now_ns, wall_ns)
        if decision.verdict is Verdict.ALLOW:
            if call.is_free:
                self._rounds.close(grant.server, grant.label, request)
                decision = msgspec.structs.replace(decision, is_free=True)
            self._in_flight.take((grant.server, grant.label), [hold.name for hold in decision.holds])
        return decision

    def _by_owner(self, grant: Grant, request: Request, era: Era) -> Decision:
        """A list of tasks is filtered; one task is for the grant that was given it."""
        if era is Era.MODERN and request.method in LEGACY_TASK_METHODS:
            return _UNKNOWN_METHOD
        is_list = request.method == "tasks/list"
        if is_list or self._task_handles.owns(grant.server, grant.label, request.target):
            return _PROTOCOL
        return _UNKNOWN_TASK
