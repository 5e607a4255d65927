"""HTTP+SSE as agents of 2024-11-05 speak it: one GET stream for everything they hear, a POST for each thing they say.

What is said is carried on by `conversations`; here are the stream, the address that goes with it, and the answers to
POSTs. `downstream` calls this with requests whose form and grant are known.
"""

import re
import secrets
from typing import Final

from gateway.mcp import sse
from gateway.mcp.headers import Headers
from gateway.mcp.message import Message, Request, claimed_version
from gateway.mcp.versions import Era
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import reply
from gateway.proxy.conversation import AgentStream, Conversation
from gateway.proxy.conversations import Conversations
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.identity import Grant
from gateway.proxy.message_sink import MessageSink
from gateway.proxy.record import Exchange
from gateway.proxy.sink import Sink
from gateway.proxy.transfer import EVENT_STREAM

_ADDRESS: Final = re.compile(r"session_id=([A-Za-z0-9_-]{32})")
_HEADERS: Final = [("Content-Type", EVENT_STREAM), ("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")]

_MODERN: Final = Decision(Verdict.DENY, names.PROTOCOL, "This transport is of revisions before 2026-07-28.")


class SseDownstream:
    """Every open session over HTTP+SSE."""

    def __init__(self, *, dispatch: Dispatch, conversations: Conversations, keep_alive_s: float) -> None:
        """`keep_alive_s` is how long a stream may be silent before the agent gets a comment."""
        self._dispatch = dispatch
        self._conversations = conversations
        self._keep_alive_s = keep_alive_s
        self._open: dict[str, Conversation] = {}

    async def stream(self, exchange: Exchange, sink: Sink, grant: Grant, peer: str) -> None:
        """A GET: open a session, which lasts as long as the stream does.

        Raises `Refusal` before it has begun, `ConnectionError` when the agent leaves, and `TimeoutError` when its
        grant ends.
        """
        stream = AgentStream(sse.encode_event, self._keep_alive_s)
        conversation = Conversation(secrets.token_urlsafe(24), grant, peer, stream)
        async with self._conversations.open(exchange, conversation):
            self._open[conversation.id] = conversation
            try:
                await sink.begin(200, _HEADERS, None)
                address = f"/messages/{grant.server}?session_id={conversation.id}"
                await sink.write(sse.encode_event(address.encode(), b"endpoint"))
                await stream.run(sink.write)
                await sink.end()
            finally:
                del self._open[conversation.id]

    def conversation(self, grant: Grant, query: str) -> Conversation:
        """What a POST is part of. Raises `Refusal` (404), the same for an address of none and for another grant's."""
        address = _ADDRESS.fullmatch(query)
        conversation = self._open.get(address[1]) if address else None
        if conversation is None or (conversation.grant.server, conversation.grant.label) != (grant.server, grant.label):
            raise reply.session_not_found()
        return conversation

    async def message(
        self, exchange: Exchange, sink: Sink, conversation: Conversation, message: Message, headers: Headers
    ) -> None:
        """A POST: accepted with 202 at once if it is a request, whose answer goes to the stream.

        Anything else is accepted when the server has it, which keeps it before what the agent says next. Raises
        `Refusal` for a message that has no place in its session.
        """
        if conversation.id not in self._open:
            # The agent's stream ended while the body was being read.
            raise reply.session_not_found()
        caller = self._dispatch.caller(conversation.grant, conversation.headers(headers))
        status = 202
        if not isinstance(message, Request):
            told = await self._conversations.tell(exchange, conversation, caller, message, Era.LEGACY)
            status = told if told >= 400 else 202
        elif claimed_version(message) is not None:
            exchange.decided(caller.grant, message, _MODERN)
            refused = MessageSink(conversation, message, Era.LEGACY, exchange.id)
            await refused.reply(reply.legacy_only(message))
        else:
            await self._conversations.ask(exchange, conversation, caller, message, Era.LEGACY)
        await sink.begin(status, [], 0)
        await sink.end()
