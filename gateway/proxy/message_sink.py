"""Where the answer to one message goes in a conversation: as messages to the agent's one stream.

What HTTP says with a status has to be said in JSON-RPC here, and an agent that asked is always answered.
"""

from typing import Any

import orjson

from gateway.mcp import headers as mcp_headers
from gateway.mcp import sse
from gateway.mcp.codes import SESSION_NOT_FOUND
from gateway.mcp.message import Message, Request
from gateway.mcp.versions import Era
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import reply
from gateway.proxy.conversation import Conversation
from gateway.proxy.reply import Reply
from gateway.proxy.transfer import EVENT_STREAM, MAX_EVENT_BYTES
from gateway.proxy.upstream import Failure, UpstreamError


class MessageSink:
    """The agent's end of one exchange. Raises `ConnectionError` once the agent's stream has ended."""

    def __init__(self, conversation: Conversation, message: Message | None, era: Era, exchange_id: str) -> None:
        """`message` is what is answered; None for the server's own stream, and for the end of its session."""
        self.status = 0
        """The answer's, once it has begun."""
        self._conversation = conversation
        self._era = era
        self._awaiting = message if isinstance(message, Request) else None
        self._is_handshake = self._awaiting is not None and self._awaiting.method == "initialize"
        self._takes_events = message is None or self._awaiting is not None
        self._exchange_id = exchange_id
        self._events: sse.EventSplitter | None = None
        self._body = bytearray()

    async def begin(self, status: int, headers: list[tuple[str, str]], length: int | None) -> None:
        """The server's answer begins. That to `initialize` names the session."""
        self.status = status
        media_type = (mcp_headers.value_of(headers, "content-type") or "").partition(";")[0].strip().lower()
        self._events = sse.EventSplitter(MAX_EVENT_BYTES) if media_type == EVENT_STREAM else None
        if self._is_handshake:
            self._conversation.learn(headers)

    async def write(self, data: bytes) -> None:
        """Pass whole events on at once; a body that is none is gathered. Raises `UpstreamError` when that is too long.

        Comments and empty events stay here: they say something about another connection.
        """
        if self._events is None:
            self._body += data
            if len(self._body) > MAX_EVENT_BYTES:
                message = f"The server's answer is longer than {MAX_EVENT_BYTES} bytes, too long for one message."
                raise UpstreamError(Failure.BROKEN, message, may_have_run=True)
            return
        for event in self._events.feed(data):
            content = sse.event_data(event)
            if content and self._takes_events and sse.event_name(event) == sse.MESSAGE:
                await self._pass(content, _read(content))

    async def end(self) -> None:
        """The answer is complete, and a body that was gathered is passed on."""
        request = self._awaiting
        if request is None or self._events is not None:
            return
        body = bytes(self._body)
        message = _read(body)
        if message.get("id") == request.id or (self.status < 400 and not message):
            await self._pass(body, message)
        elif isinstance(message.get("error"), dict):
            # Servers that refuse a request before they have read it do not name its id.
            await self._answer(request, message)

    def abort(self) -> None:
        """Nothing of a body has been passed on yet: `finish` tells the agent."""

    async def reply(self, reply: Reply) -> None:
        """An answer of our own. A session that the server has lost ends the agent's stream."""
        self.status = reply.status
        if self._awaiting is not None:
            await self._answer(self._awaiting, reply.body)
        if reply.body.get("error", {}).get("code") == SESSION_NOT_FOUND:
            await self._conversation.stream.send(None)

    async def finish(self) -> None:
        """The exchange is over: an agent that still waits for its answer is told that there is none."""
        request = self._awaiting
        if request is not None:
            text = f"The server ended its answer (HTTP status {self.status}) without a result."
            decision = Decision(Verdict.ERROR, Failure.BROKEN.value, text)
            await self._answer(request, reply.refused_body(request, decision, self._era, self._exchange_id))

    async def _answer(self, request: Request, message: dict[str, Any]) -> None:
        """Send a message as the answer to the request, whatever id it has."""
        message = {**message, "id": request.id}
        await self._pass(orjson.dumps(message), message)

    async def _pass(self, data: bytes, message: dict[str, Any]) -> None:
        """Send `data`, byte for byte; `message` is what it says, as far as it can be read."""
        # What cannot be read is taken for the answer: a second one would be worse than a bad one.
        request = self._awaiting
        if request is not None and "method" not in message and message.get("id", request.id) == request.id:
            self._awaiting = None
            if isinstance(message.get("result"), dict):
                self._conversation.answered(request, message["result"])
        await self._conversation.stream.send(data)


def _read(data: bytes) -> dict[str, Any]:
    """One JSON-RPC message; empty for what is none, which is for the agent to make something of."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}
