"""HTTP+SSE as agents of 2024-11-05 speak it: one GET stream for everything they hear, a POST for each thing they say.

Behind it the server is spoken to as for any agent, by way of `Dispatch`; the session ids and headers that such an
agent does not know of are kept for it here. `downstream` calls this with requests whose form and grant are known.
"""

import asyncio
import contextlib
import logging
import re
import secrets
from typing import Final

from gateway.mcp import sse
from gateway.mcp.headers import Headers
from gateway.mcp.message import Message, Notification, Request, claimed_version
from gateway.mcp.versions import Era
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import reply
from gateway.proxy.dispatch import Caller, Dispatch
from gateway.proxy.identity import Grant, Identity
from gateway.proxy.record import Exchange, Recorder
from gateway.proxy.relay import Relay
from gateway.proxy.reply import Refusal, Reply
from gateway.proxy.sink import Sink
from gateway.proxy.sse_session import MAX_CALLS, AgentSession, AgentStream
from gateway.proxy.sse_sink import MessageSink
from gateway.proxy.transfer import EVENT_STREAM
from gateway.proxy.underway import Underway
from gateway.tasks import Tasks

logger = logging.getLogger(__name__)

# How long to wait before a stream that the server has ended is opened again.
REOPEN_S: Final = 5.0

_ADDRESS: Final = re.compile(r"session_id=([A-Za-z0-9_-]{32})")
_HEADERS: Final = [("Content-Type", EVENT_STREAM), ("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]
# Statuses after which a server may yet have a stream for the session: it ended one, or was not there.
_MAY_REOPEN: Final = frozenset({200, 503})

_OVERLOADED: Final = Decision(
    Verdict.ERROR, names.OVERLOADED, f"This session has {MAX_CALLS} requests under way; the call was not run."
)
_MODERN: Final = Decision(Verdict.DENY, names.PROTOCOL, "This transport is of revisions before 2026-07-28.")


class SseDownstream:
    """Every open session over HTTP+SSE."""

    def __init__(
        self,
        *,
        dispatch: Dispatch,
        identity: Identity,
        recorder: Recorder,
        underway: Underway,
        tasks: Tasks,
        keep_alive_s: float,
    ) -> None:
        """`keep_alive_s` is how long a stream may be silent before the agent gets a comment."""
        self._dispatch = dispatch
        self._identity = identity
        self._recorder = recorder
        self._underway = underway
        self._tasks = tasks
        self._keep_alive_s = keep_alive_s
        self._sessions: dict[str, AgentSession] = {}

    def sessions(self, server: str) -> int:
        """How many sessions are open on a server."""
        return sum(session.grant.server == server for session in self._sessions.values())

    async def stream(self, exchange: Exchange, sink: Sink, grant: Grant, relay: Relay, peer: str) -> None:
        """A GET: open a session, which lasts as long as the stream does.

        Raises `Refusal` before it has begun, `ConnectionError` when the agent leaves, and `TimeoutError` when its
        grant ends.
        """
        exchange.at_close(self._underway.hold_stream(grant.server, grant.label, carries_answers=True))
        self._dispatch.admit(exchange, grant)
        session = AgentSession(secrets.token_urlsafe(24), grant, relay, peer, AgentStream(self._keep_alive_s))
        self._sessions[session.id] = session
        session.background.spawn(self._end_with_the_gateway(session), "watch for the gateway's end")
        try:
            async with asyncio.timeout(self._identity.remaining_s(grant)):
                await sink.begin(200, _HEADERS, None)
                address = f"/messages/{grant.server}?session_id={session.id}"
                await sink.write(sse.encode_event(address.encode(), b"endpoint"))
                await session.stream.run(sink)
                await sink.end()
        finally:
            del self._sessions[session.id]
            await asyncio.shield(self._tasks.spawn(self._close(session), "end a session over HTTP+SSE"))

    def session(self, grant: Grant, query: str) -> AgentSession:
        """The session that a POST is addressed to. Raises `Refusal` (404), the same for none and for another's."""
        address = _ADDRESS.fullmatch(query)
        session = self._sessions.get(address[1]) if address else None
        if session is None or (session.grant.server, session.grant.label) != (grant.server, grant.label):
            raise reply.session_not_found()
        return session

    async def message(
        self, exchange: Exchange, sink: Sink, session: AgentSession, message: Message, headers: Headers
    ) -> None:
        """A POST: accepted with 202 at once if it is a request, whose answer goes to the stream.

        Anything else is accepted when the server has it, which keeps it before what the agent says next. Raises
        `Refusal` for a message that has no place in its session.
        """
        if session.id not in self._sessions:
            # The agent's stream ended while the body was being read.
            raise reply.session_not_found()
        caller = self._dispatch.caller(session.grant, session.relay, session.headers(headers))
        status = 202
        if not isinstance(message, Request):
            status = await self._tell(exchange, session, caller, message)
        elif (decision := _out_of_place(session, message)) is not None:
            exchange.decided(session.grant, message, decision)
            await MessageSink(session, message, exchange.id).reply(_refused(message, decision, exchange))
        else:
            exchange.at_close(self._underway.hold_id(session.grant.server, session.id, message.id))
            exchange.detach()
            session.calls.spawn(self._ask(exchange, session, caller, message), "request over HTTP+SSE")
        await sink.begin(status, [], 0)
        await sink.end()

    async def _ask(self, exchange: Exchange, session: AgentSession, caller: Caller, request: Request) -> None:
        """See to the answer to a request, whatever happens, for as long as there is somebody to hear it."""
        sink = MessageSink(session, request, exchange.id)
        with exchange.attach(), self._underway.exchange(), contextlib.suppress(ConnectionError):
            try:
                await self._dispatch.message(exchange, sink, caller, request, Era.LEGACY)
            except Refusal as refusal:
                exchange.refused(refusal)
                await sink.reply(reply.refusal(refusal))
            except (ConnectionError, TimeoutError):
                return
            except Exception:
                logger.exception("a request over HTTP+SSE failed")
            await sink.finish()

    async def _tell(self, exchange: Exchange, session: AgentSession, caller: Caller, message: Message) -> int:
        """Pass on what wants no answer; the status for the agent."""
        sink = MessageSink(session, message, exchange.id)
        await self._dispatch.message(exchange, sink, caller, message, Era.LEGACY)
        if isinstance(message, Notification) and message.method == "notifications/initialized":
            self._listen(session)
        return sink.status if sink.status >= 400 else 202

    def _listen(self, session: AgentSession) -> None:
        """Ask the server for the stream of its session, once, as agents over streamable HTTP do at this point."""
        if session.has_server_session and not session.is_listening:
            session.is_listening = True
            session.background.spawn(self._keep_listening(session), "listen to a server")

    async def _keep_listening(self, session: AgentSession) -> None:
        """Pass on what the server says of its own accord, unless it has no stream for that."""
        status = 200
        with contextlib.suppress(ConnectionError, TimeoutError):
            while status in _MAY_REOPEN:
                status = await self._without_message(session, "GET")
                await asyncio.sleep(REOPEN_S)

    async def _close(self, session: AgentSession) -> None:
        """The agent's stream has ended, and so does everything that was done for it, the server's session last."""
        await session.close()
        if session.has_server_session:
            with contextlib.suppress(ConnectionError):
                await self._without_message(session, "DELETE")

    async def _without_message(self, session: AgentSession, method: str) -> int:
        """Send the server a request of our own for a session; the status of its answer."""
        with self._recorder.exchange(session.grant.server, session.peer, method) as exchange:
            exchange.identified(session.grant)
            sink = MessageSink(session, None, exchange.id)
            try:
                caller = self._dispatch.caller(session.grant, session.relay, session.headers())
                run = self._dispatch.stream if method == "GET" else self._dispatch.end_session
                await run(exchange, sink, caller)
            except Refusal as refusal:
                exchange.refused(refusal)
            return sink.status

    async def _end_with_the_gateway(self, session: AgentSession) -> None:
        """When the gateway stops, end the stream as soon as it has no answer left to carry."""
        await self._underway.draining.wait()
        await session.calls.finished()
        with contextlib.suppress(ConnectionError):
            await session.stream.send(None)


def _out_of_place(session: AgentSession, request: Request) -> Decision | None:
    """Why a request goes no further, although its session and its form are good."""
    if claimed_version(request) is not None:
        return _MODERN
    return _OVERLOADED if len(session.calls) >= MAX_CALLS else None


def _refused(request: Request, decision: Decision, exchange: Exchange) -> Reply:
    if decision is _MODERN:
        return reply.legacy_only(request)
    return reply.refused(request, decision, Era.LEGACY, exchange.id)
