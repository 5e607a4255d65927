"""From a message that has been read to its answer: judge, record, refuse or relay. The same for every transport."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

import msgspec

from gateway.mcp import headers as mcp_headers
from gateway.mcp import session
from gateway.mcp.codes import INVALID_REQUEST
from gateway.mcp.message import Message, Request, Response
from gateway.mcp.methods import ENDLESS, METHODS, Governance
from gateway.mcp.versions import Era
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import reply
from gateway.proxy.admission import Admission, OverloadedError
from gateway.proxy.announced import Announced, Subscription
from gateway.proxy.answer_filter import AnswerFilter
from gateway.proxy.approval import ApprovalStep, PendingCall
from gateway.proxy.gate import Gate
from gateway.proxy.identity import Grant, Identity
from gateway.proxy.in_flight import Owner
from gateway.proxy.listing import ListFilter
from gateway.proxy.notices import Notices
from gateway.proxy.record import Exchange, Outcome, Recorder
from gateway.proxy.relay import Outbound
from gateway.proxy.reply import Refusal, Reply
from gateway.proxy.sink import Sink
from gateway.proxy.snapshot import InForce
from gateway.proxy.streams import Streams
from gateway.proxy.task_handles import TaskHandles, may_become_task
from gateway.proxy.transfer import EVENT_STREAM, JSON
from gateway.proxy.underway import Underway
from gateway.store.approval import Approval

_LISTS: Final = frozenset({Governance.TOOL_LIST, Governance.RESOURCE_LIST, Governance.PROMPT_LIST})
_STREAM: Final = Decision(Verdict.ALLOW, names.PROTOCOL)


class Caller(msgspec.Struct, frozen=True):
    """Who sends, and in which session."""

    grant: Grant
    headers: list[tuple[str, str]]
    """Those of the agent's that travel on to the server."""
    session_id: str | None
    """The server's own id of the legacy session; None outside of one."""


class Dispatch:
    """Takes messages from every transport to the servers."""

    def __init__(
        self,
        *,
        admission: Admission,
        gate: Gate,
        approvals: ApprovalStep,
        in_force: InForce,
        identity: Identity,
        streams: Streams,
        recorder: Recorder,
        underway: Underway,
        task_handles: TaskHandles,
        session_key: bytes,
    ) -> None:
        self._admission = admission
        self._gate = gate
        self._approvals = approvals
        self._in_force = in_force
        self._identity = identity
        self._streams = streams
        self._announced = Announced()
        self._recorder = recorder
        self._underway = underway
        self._task_handles = task_handles
        self._session_key = session_key

    def caller(self, grant: Grant, headers: mcp_headers.Headers) -> Caller:
        """The caller that a request's headers describe. Raises `Refusal` (404) for a session of another's.

        Its grant is the one in force now; one that has been revoked stays as it was, so that its session can be ended.
        """
        grant = self._identity.current(grant) or grant
        sealed = mcp_headers.value_of(headers, mcp_headers.SESSION_ID)
        upstream_id = None
        if sealed is not None:
            upstream_id = session.unseal(self._session_key, grant.server, grant.label, sealed)
            if upstream_id is None:
                raise reply.session_not_found()
        return Caller(grant, mcp_headers.forwarded(headers), upstream_id)

    async def message(self, exchange: Exchange, sink: Sink, caller: Caller, message: Message, era: Era) -> None:
        """Judge one message and see to its answer.

        Raises `Refusal` for one that has no place in its session, or whose grant was revoked while it was read.
        """
        if isinstance(message, Request):
            try:
                await self._take_turn(exchange, caller, message)
            except OverloadedError as error:
                overloaded = Decision(Verdict.ERROR, names.OVERLOADED, str(error))
                overloaded = exchange.decided(caller.grant, message, overloaded)
                await sink.reply(_refused(message, overloaded, era, exchange, None))
                return
        # From here to the decision nothing is awaited: what is in force now is what judges.
        caller = msgspec.structs.replace(caller, grant=self._identity.renewed(caller.grant))
        self._hold(exchange, caller, message)
        self._approvals.cancel(caller.grant.server, caller.session_id, message)
        judged, approval = self._gate.decide(caller.grant, message, era, session=caller.session_id), None
        if judged.verdict is Verdict.PENDING and isinstance(message, Request):
            pending = PendingCall(exchange, caller.grant, caller.session_id, message, era, judged)
            with self._admission.aside(_owner(caller.grant)):
                resolution = await self._approvals.resolve(pending)
            caller = msgspec.structs.replace(caller, grant=resolution.grant)
            judged, approval = resolution.decision, resolution.approval
        exchange.at_close(partial(self._release, exchange, caller, message, judged))
        decision = exchange.decided(caller.grant, message, judged, approval)
        if decision is not judged:
            self._gate.settle(caller.grant, judged)
        if decision.verdict is not Verdict.ALLOW:
            await sink.reply(_refused(message, decision, era, exchange, approval))
            return
        ours = [("Content-Type", JSON), ("Accept", f"{JSON}, {EVENT_STREAM}")]
        answer_filter = self._filter(caller, message, era, judged)
        settle = partial(self._gate.settle, caller.grant, judged)
        outbound = self._outbound("POST", message, ours, caller, era, answer_filter, settle)
        await self._relay(exchange, sink, caller, self._attended(outbound, caller, message))

    async def stream(self, exchange: Exchange, sink: Sink, caller: Caller, *, takes_notices: bool = True) -> None:
        """Open the server's stream of a legacy session; there is no message to judge. Raises `Refusal`.

        `takes_notices` where changed lists are announced on this stream, and not on another of the agent's.
        """
        server, session_id = caller.grant.server, caller.session_id
        notices = None
        if takes_notices and session_id is not None:
            notices = Notices(lambda: self._announced.in_session(server, session_id))
        # An answer that was resumed arrives on such a stream, and may be a list.
        answer_filter = self._heard(caller, self._list_filter(caller))
        await self._without_message(exchange, sink, caller, "GET", answer_filter, notices)

    async def end_session(self, exchange: Exchange, sink: Sink, caller: Caller) -> None:
        """End a legacy session. Raises `Refusal`."""
        await self._without_message(exchange, sink, caller, "DELETE")

    def admit(self, exchange: Exchange, grant: Grant) -> None:
        """Record a request without a message, which nothing but that can stop. Raises `Refusal` (503)."""
        decision = exchange.decided(grant, None, _STREAM)
        if decision.verdict is not Verdict.ALLOW:
            raise Refusal(503, "audit", decision.message, headers={"Retry-After": "1"})

    async def _without_message(
        self,
        exchange: Exchange,
        sink: Sink,
        caller: Caller,
        method: str,
        answer_filter: AnswerFilter | None = None,
        notices: Notices | None = None,
    ) -> None:
        exchange.in_session(caller.session_id)
        self.admit(exchange, caller.grant)
        ours = [("Accept", EVENT_STREAM)]
        outbound = self._outbound(method, None, ours, caller, Era.LEGACY, answer_filter, lambda: False)
        await self._relay(exchange, sink, caller, msgspec.structs.replace(outbound, notices=notices))

    async def _relay(self, exchange: Exchange, sink: Sink, caller: Caller, outbound: Outbound) -> None:
        """Relay; a stream that only listens ends with its grant, which raises `TimeoutError`."""
        relay = self._in_force.snapshot.relays.get(caller.grant.server)
        if relay is None:
            # Only the end of a session can come after the end of its grant and its server.
            raise reply.session_not_found()
        if not outbound.is_listening:
            await relay.run(exchange, sink, outbound)
            return
        async with self._streams.lifetime(caller.grant, outbound.notices):
            await relay.run(exchange, sink, outbound)

    def _attended(self, outbound: Outbound, caller: Caller, message: Message) -> Outbound:
        """Where a server says which changes it announces, it is heard."""
        match message:
            case Request(method="initialize"):
                handshake = self._announced.handshake(caller.grant.server)
                seal = handshake.opening(outbound.seal)
                return msgspec.structs.replace(outbound, seal=seal, watch=handshake.read)
            case Request() if message.method in ENDLESS:
                subscription = Subscription()
                notices = Notices(lambda: subscription.lists, message.id)
                return msgspec.structs.replace(outbound, watch=subscription.read, notices=notices)
            case _:
                return outbound

    async def _take_turn(self, exchange: Exchange, caller: Caller, request: Request) -> None:
        """Wait until there is room for a request, which it takes up until its exchange is over.

        Streams that only listen have a bound of their own. Raises `OverloadedError`.
        """
        self._admission.check_load(is_list=METHODS.get(request.method) in _LISTS)
        if request.method not in ENDLESS:
            owner = _owner(caller.grant)
            with exchange.holding():
                await self._admission.turn(owner)
            exchange.at_close(partial(self._admission.leave, owner))

    def _hold(self, exchange: Exchange, caller: Caller, message: Message) -> None:
        """Keep what the message takes up until its exchange is over."""
        exchange.in_session(caller.session_id)
        match message:
            case Request():
                if caller.session_id is not None:
                    exchange.at_close(self._underway.hold_id(caller.grant.server, caller.session_id, message.id))
                if message.method in ENDLESS:
                    exchange.at_close(self._underway.hold_stream(caller.grant.server, caller.grant.label))
            case Response() if caller.session_id is None:
                raise Refusal(400, "envelope", "A response belongs to a session of its own.", code=INVALID_REQUEST)
            case _:
                pass

    def _release(self, exchange: Exchange, caller: Caller, message: Message, judged: Decision) -> None:
        """Let go of the places of a call. One that its agent has cancelled may run on at the server unseen."""
        if not judged.holds:
            return
        release = partial(self._gate.release, caller.grant, judged)
        relay = self._in_force.snapshot.relays.get(caller.grant.server)
        if exchange.outcome is Outcome.CANCELLED and relay is not None:
            asyncio.get_running_loop().call_later(relay.patience_s(message), release)
        else:
            release()

    def _outbound(
        self,
        method: str,
        message: Message | None,
        ours: list[tuple[str, str]],
        caller: Caller,
        era: Era,
        answer_filter: AnswerFilter | None,
        settle: Callable[[], bool],
    ) -> Outbound:
        """A request to the server: our headers, then those of the agent's that travel on."""
        grant = caller.grant
        session_header = [] if caller.session_id is None else [(mcp_headers.SESSION_ID, caller.session_id)]
        return Outbound(
            method,
            message,
            [*ours, *session_header, *caller.headers],
            grant.label,
            caller.session_id is not None,
            era,
            answer_filter=answer_filter,
            seal=lambda id: session.seal(self._session_key, grant.server, grant.label, id),
            settle=settle,
        )

    def _filter(self, caller: Caller, message: Message, era: Era, judged: Decision) -> AnswerFilter | None:
        """What looks into the answer to a message, where something must."""
        if not isinstance(message, Request):
            return None
        answer_filter = self._changing_filter(caller, message)
        if era is Era.MODERN:
            answer_filter = self._gate.watch(caller.grant, message, judged, answer_filter)
        return self._heard(caller, answer_filter)

    def _heard(self, caller: Caller, answer_filter: AnswerFilter | None) -> AnswerFilter | None:
        """The filter, after a look for the server's word that its tools have changed, where that matters."""
        relay = self._in_force.snapshot.relays.get(caller.grant.server)
        return answer_filter if relay is None else relay.tool_schemas.watch(answer_filter)

    def _changing_filter(self, caller: Caller, request: Request) -> AnswerFilter | None:
        """What may change the answer to a request."""
        if METHODS.get(request.method) in _LISTS:
            return self._list_filter(caller)
        if request.method == "tasks/list" or (request.method == "tools/call" and may_become_task(request)):
            return self._task_handles.filter(caller.grant.server, caller.grant.label)
        return None

    def _list_filter(self, caller: Caller) -> AnswerFilter:
        return ListFilter(partial(self._identity.judge, caller.grant), self._recorder.tools.learn, caller.grant.pins)


def _owner(grant: Grant) -> Owner:
    return grant.server, grant.label


def _refused(message: Message, decision: Decision, era: Era, exchange: Exchange, approval: Approval | None) -> Reply:
    if isinstance(message, Request) and decision.rule == names.UNKNOWN_METHOD:
        return reply.unknown_method(message, era)
    if isinstance(message, Request) and decision.rule == names.UNKNOWN_TASK:
        return reply.unknown_task(message)
    return reply.refused(message, decision, era, exchange.id, approval)
