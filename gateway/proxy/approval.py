"""The step between the gate's `pending` and the reply: a person is asked, and the call held open for a while.

It judges nothing. A call that was approved is decided again, by the policy that is in force then, and runs only if it
can use up the approval. `dispatch` calls it; people answer through the second listener or `gateway approvals`.
"""

import asyncio
import logging
from typing import Final, assert_never

import msgspec

from gateway.approval_desk import ApprovalDesk, Question
from gateway.errors import StateError
from gateway.mcp.message import Message, Notification, Request
from gateway.mcp.versions import Era
from gateway.policy import names
from gateway.policy.decision import ApprovalTerms, Decision, Verdict
from gateway.proxy.gate import Gate
from gateway.proxy.identity import Grant, Identity
from gateway.proxy.record import Exchange
from gateway.reading.scalars import instant_text
from gateway.store.approval import Approval, ExactCall, State
from gateway.store.approvals import UnaskableError

logger = logging.getLogger(__name__)

_UNAVAILABLE: Final = Decision(
    Verdict.ERROR, names.INTERNAL_ERROR, "The gateway cannot keep approvals, so the call was not run."
)


class PendingCall(msgspec.Struct, frozen=True):
    """A call that the gate has found `pending`."""

    exchange: Exchange
    grant: Grant
    session_id: str | None
    """The legacy session that it belongs to."""
    request: Request
    era: Era
    decision: Decision


class Hold:
    """The time that a call is held open for."""

    def __init__(self) -> None:
        self.over = asyncio.Event()
        """Set as soon as there is something to know."""
        self.is_cancelled = False

    def cancel(self) -> None:
        """Nobody waits for the call any more."""
        self.is_cancelled = True
        self.over.set()


class Resolution(msgspec.Struct, frozen=True):
    """What has become of a pending call."""

    grant: Grant
    """As it stood when the decision was made."""
    decision: Decision
    approval: Approval | None = None


class ApprovalStep:
    """Asks people about calls, and lets each approved one through once."""

    def __init__(self, gate: Gate, identity: Identity, desk: ApprovalDesk) -> None:
        self._gate = gate
        self._identity = identity
        self._desk = desk
        self._holds: dict[tuple[str, str, str], Hold] = {}
        """Those of calls in legacy sessions, by server, session and id."""

    async def resolve(self, call: PendingCall) -> Resolution:
        """The decision on a pending call, when there is one or the hold is over.

        Never lets a call through that nobody has approved, nor one twice. Raises `Refusal` (401) when the grant has
        ended meanwhile.
        """
        try:
            return await self._resolve(call)
        except UnaskableError as error:
            denied = msgspec.structs.replace(call.decision, verdict=Verdict.DENY, message=str(error))
            return Resolution(call.grant, denied)
        except StateError as error:
            logger.error("%s", error)
            return Resolution(call.grant, _UNAVAILABLE)

    def cancel(self, server: str, session_id: str | None, message: Message) -> None:
        """End the hold of a call that `message` says nobody waits for any more: the call does not run."""
        match message:
            case Notification("notifications/cancelled", {"requestId": id}) if session_id is not None:
                if hold := self._holds.get((server, session_id, str(id))):
                    hold.cancel()

    async def _resolve(self, call: PendingCall) -> Resolution:
        grant, decision = call.grant, call.decision
        approval = await self._ask(call, grant, decision)
        if approval.state is State.PENDING:
            approval, is_wanted = await self._hold(call, approval)
            if not is_wanted:
                return Resolution(grant, _waits(decision, approval), approval)
        match approval.state:
            case State.PENDING:
                return Resolution(grant, _waits(decision, approval), approval)
            case State.APPROVED:
                return await self._approved(call, self._identity.renewed(grant), approval)
            case State.DENIED:
                return Resolution(grant, _denied(decision, approval), approval)
            case State.EXPIRED | State.CONSUMED:
                return Resolution(grant, _gone(approval), approval)
            case _:
                assert_never(approval.state)

    async def _ask(self, call: PendingCall, grant: Grant, pending: Decision) -> Approval:
        request = call.request
        exact = ExactCall.of(grant.label, grant.server, request.target, request.arguments, grant.engine.revision)
        terms = _terms(pending)
        return await self._desk.ask(Question(exact, grant.policy, pending.rule, call.exchange.id, terms.expires_ns))

    async def _hold(self, call: PendingCall, approval: Approval) -> tuple[Approval, bool]:
        """The approval once somebody has decided, or the hold is over, and whether the agent still wants the call.

        Nothing is sent to the agent meanwhile.
        """
        hold = Hold()
        key = (call.grant.server, call.session_id or "", str(call.request.id))
        if call.session_id is not None:
            self._holds[key] = hold
        try:
            with call.exchange.holding():
                approval = await self._desk.wait(approval, _terms(call.decision).hold_ns / 1e9, hold.over)
            return approval, not hold.is_cancelled
        except asyncio.CancelledError:
            # The agent has left. Its question stays, and nothing runs without its asking again.
            call.exchange.decided(call.grant, call.request, call.decision, approval)
            raise
        finally:
            self._holds.pop(key, None)

    async def _approved(self, call: PendingCall, grant: Grant, approval: Approval) -> Resolution:
        """Decide again, by the policy in force now, and use the approval up if the call may run."""
        is_bound = grant.engine.revision == approval.call.revision
        decision = self._gate.decide(grant, call.request, call.era, session=call.session_id, is_approved=is_bound)
        if decision.verdict is Verdict.PENDING:
            # The policy has changed since, so what was approved was another call: ask about this one.
            approval = await self._ask(call, grant, decision)
            return Resolution(grant, _waits(decision, approval), approval)
        if decision.verdict is not Verdict.ALLOW or not is_bound:
            return Resolution(grant, decision, approval if is_bound else None)
        may_run = False
        try:
            is_consumed = await self._desk.consume(approval)
            # A database that is busy takes seconds, in which a reload may have changed everything.
            may_run = is_consumed and self._identity.renewed(grant).engine.revision == grant.engine.revision
        finally:
            if not may_run:
                self._gate.settle(grant, decision)
                self._gate.release(grant, decision)
        return Resolution(grant, decision if may_run else _gone(approval), approval)


def _terms(pending: Decision) -> ApprovalTerms:
    if pending.approval is None:
        raise AssertionError("a pending decision comes with its terms")
    return pending.approval


def _waits(pending: Decision, approval: Approval) -> Decision:
    message = (
        f"{pending.message} It waits for a person as approval {approval.id} until {instant_text(approval.expires_ns)}: "
        "repeat exactly the same call to have it run once it is approved."
    )
    return msgspec.structs.replace(pending, message=message.strip())


def _denied(pending: Decision, approval: Approval) -> Decision:
    reason = f": {approval.reason}" if approval.reason else "."
    return Decision(Verdict.DENY, pending.rule, f"A person has denied approval {approval.id} of this call{reason}")


def _gone(approval: Approval) -> Decision:
    """The approval cannot be had any more, although it was there a moment ago."""
    became = "has expired" if approval.state is State.EXPIRED else "has been used up"
    message = f"Approval {approval.id} of this call {became}. Repeat the call to ask for another."
    return Decision(Verdict.DENY, approval.rule, message)
