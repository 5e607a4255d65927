"""Carries on conversations: what an agent says on its own transport is said to the server as over streamable HTTP.

By way of `Dispatch`, like everything; the server's stream and the end of its session, which such an agent does not
know of, are seen to here. `sse_downstream` and `stdio_downstream` open conversations and bring the messages.
"""

import asyncio
import collections
import contextlib
import logging
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from gateway.mcp.message import Message, Notification, Request
from gateway.mcp.versions import Era
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import reply
from gateway.proxy.conversation import Conversation, cancelled_call
from gateway.proxy.dispatch import Caller, Dispatch
from gateway.proxy.message_sink import MessageSink
from gateway.proxy.notices import Notices
from gateway.proxy.record import Exchange, Recorder
from gateway.proxy.reply import Refusal
from gateway.proxy.streams import Streams
from gateway.proxy.underway import Underway
from gateway.tasks import Tasks

logger = logging.getLogger(__name__)

# Each takes up a connection to the server; an agent over streamable HTTP would need as many to us.
MAX_CALLS: Final = 64
# How long to wait before a stream that the server has ended is opened again.
REOPEN_S: Final = 5.0

# Statuses after which a server may yet have a stream for the session: it ended one, or was not there.
_MAY_REOPEN: Final = frozenset({200, 503})

_OVERLOADED: Final = Decision(
    Verdict.ERROR, names.OVERLOADED, f"This session has {MAX_CALLS} requests under way; the call was not run."
)


class Conversations:
    """What every conversation needs, whatever its transport."""

    def __init__(
        self, *, dispatch: Dispatch, streams: Streams, recorder: Recorder, underway: Underway, tasks: Tasks
    ) -> None:
        self._dispatch = dispatch
        self._streams = streams
        self._recorder = recorder
        self._underway = underway
        self._tasks = tasks
        self._open: collections.Counter[str] = collections.Counter()

    def count(self, server: str) -> int:
        """How many conversations there are with a server."""
        return self._open[server]

    @contextlib.asynccontextmanager
    async def open(self, exchange: Exchange, conversation: Conversation) -> AsyncIterator[None]:
        """Have a conversation, which lasts as long as the block. Afterwards the server's session is ended.

        Raises `Refusal` before it has begun, and `TimeoutError` when its grant ends.
        """
        grant = conversation.grant
        exchange.at_close(self._underway.hold_stream(grant.server, grant.label, carries_answers=True))
        self._dispatch.admit(exchange, grant)
        self._open[grant.server] += 1
        conversation.background.spawn(self._end_with_the_gateway(conversation), "watch for the gateway's end")
        notices = Notices(lambda: conversation.announced_lists)
        conversation.background.spawn(_notify(conversation, notices), "tell of changed lists")
        try:
            async with self._streams.lifetime(grant, notices):
                yield
        finally:
            self._open[grant.server] -= 1
            await asyncio.shield(self._tasks.spawn(self._close(conversation), "end a conversation"))

    async def ask(
        self, exchange: Exchange, conversation: Conversation, caller: Caller, request: Request, era: Era
    ) -> None:
        """See to a request in the background; its answer goes to the stream. Raises `Refusal` for an id in flight."""
        if len(conversation.calls) >= MAX_CALLS:
            decision = exchange.decided(caller.grant, request, _OVERLOADED)
            sink = MessageSink(conversation, request, era, exchange.id)
            await sink.reply(reply.refused(request, decision, era, exchange.id))
            return
        exchange.at_close(self._underway.hold_id(conversation.grant.server, conversation.id, request.id))
        exchange.detach()
        call = conversation.calls.spawn(self._ask(exchange, conversation, caller, request, era), "request")
        if era is Era.MODERN or not conversation.has_server_session:
            calls = conversation.cancellable if era is Era.MODERN else conversation.sessionless
            calls[request.id] = call
            exchange.at_close(partial(calls.__delitem__, request.id))
        # Until it runs nothing would close its exchange, were it cancelled.
        await asyncio.sleep(0)

    async def tell(
        self, exchange: Exchange, conversation: Conversation, caller: Caller, message: Message, era: Era
    ) -> int:
        """Pass on what wants no answer, once the server has it; the status of what the server said to it.

        Raises `Refusal` for a message that has no place in its session.
        """
        if (call := cancelled_call(conversation.sessionless, message)) is not None:
            call.cancel()
        sink = MessageSink(conversation, message, era, exchange.id)
        await self._dispatch.message(exchange, sink, caller, message, era)
        if isinstance(message, Notification) and message.method == "notifications/initialized":
            self._listen(conversation)
        return sink.status

    async def _ask(
        self, exchange: Exchange, conversation: Conversation, caller: Caller, request: Request, era: Era
    ) -> None:
        """See to the answer to a request, whatever happens, for as long as there is somebody to hear it."""
        sink = MessageSink(conversation, request, era, exchange.id)
        with exchange.attach(), self._underway.exchange(), contextlib.suppress(ConnectionError):
            try:
                await self._dispatch.message(exchange, sink, caller, request, era)
            except Refusal as refusal:
                exchange.refused(refusal)
                await sink.reply(reply.refusal(refusal))
            except (ConnectionError, TimeoutError):
                return
            except Exception:
                logger.exception("a request in a conversation failed")
            await sink.finish()

    def _listen(self, conversation: Conversation) -> None:
        """Ask the server for the stream of its session, once, as agents over streamable HTTP do at this point."""
        if conversation.has_server_session and not conversation.is_listening:
            conversation.is_listening = True
            conversation.background.spawn(self._keep_listening(conversation), "listen to a server")

    async def _keep_listening(self, conversation: Conversation) -> None:
        """Pass on what the server says of its own accord, unless it has no stream for that."""
        status = 200
        with contextlib.suppress(ConnectionError, TimeoutError):
            while status in _MAY_REOPEN:
                status = await self._without_message(conversation, "GET")
                await asyncio.sleep(REOPEN_S)

    async def _close(self, conversation: Conversation) -> None:
        """The agent's stream has ended, and so does everything that was done for it, the server's session last."""
        await conversation.close()
        if conversation.has_server_session:
            with contextlib.suppress(ConnectionError):
                await self._without_message(conversation, "DELETE")

    async def _without_message(self, conversation: Conversation, method: str) -> int:
        """Send the server a request of our own for a conversation; the status of its answer."""
        with self._recorder.exchange(conversation.grant.server, conversation.peer, method) as exchange:
            exchange.identified(conversation.grant)
            sink = MessageSink(conversation, None, Era.LEGACY, exchange.id)
            try:
                caller = self._dispatch.caller(conversation.grant, conversation.headers())
                if method == "GET":
                    await self._dispatch.stream(exchange, sink, caller, takes_notices=False)
                else:
                    await self._dispatch.end_session(exchange, sink, caller)
            except Refusal as refusal:
                exchange.refused(refusal)
            return sink.status

    async def _end_with_the_gateway(self, conversation: Conversation) -> None:
        """When the gateway stops, end the stream as soon as it has no answer left to carry."""
        await self._underway.draining.wait()
        await conversation.calls.finished()
        with contextlib.suppress(ConnectionError):
            await conversation.stream.send(None)


async def _notify(conversation: Conversation, notices: Notices) -> None:
    with contextlib.suppress(ConnectionError):
        while True:
            for message in await notices.next():
                await conversation.stream.send(message)
