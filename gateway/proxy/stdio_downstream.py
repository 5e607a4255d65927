"""Agents behind `gateway stdio`, in both eras: one message in each line, requests answered on the same connection.

Each line is read as strictly as a body over HTTP, and goes the same way; what HTTP says in headers is made from the
message itself. `stdio_listener` calls this for a connection whose grant is known.
"""

import asyncio
import contextlib
import logging
import secrets
from typing import Final

import orjson

from gateway import stdio_socket
from gateway.mcp import headers as mcp_headers
from gateway.mcp.codes import INVALID_REQUEST
from gateway.mcp.lines import LineSplitter, encode_line
from gateway.mcp.message import Message, Notification, Request, Response, claimed_version
from gateway.mcp.parse import MalformedError, parse_message
from gateway.mcp.versions import Era, era_of
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import reply, sink
from gateway.proxy.conversation import AgentStream, Conversation, cancelled_call
from gateway.proxy.conversations import Conversations
from gateway.proxy.dispatch import Caller, Dispatch
from gateway.proxy.edge import MAX_BODY_BYTES
from gateway.proxy.identity import Grant
from gateway.proxy.record import Exchange, Recorder
from gateway.proxy.reply import Refusal
from gateway.proxy.underway import ID_IN_FLIGHT, Underway
from gateway.stdio_socket import Welcome

logger = logging.getLogger(__name__)

PEER: Final = "stdio"
"""Who sends, as records name it."""

_METHOD: Final = "stdio"
_CHUNK_BYTES: Final = 1 << 16
_CANCELLED: Final = "notifications/cancelled"
_CANCELLATION: Final = Decision(Verdict.ALLOW, names.PROTOCOL)


class StdioDownstream:
    """Has a conversation with each agent."""

    def __init__(
        self, *, dispatch: Dispatch, conversations: Conversations, recorder: Recorder, underway: Underway
    ) -> None:
        self._dispatch = dispatch
        self._conversations = conversations
        self._recorder = recorder
        self._underway = underway

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, grant: Grant) -> None:
        """One conversation, from its first line until the agent ends it or its grant does.

        Raises `Refusal` before it has begun, `ConnectionError` when the agent leaves or stops reading, and
        `TimeoutError` when its grant ends. Once it has begun the connection is closed at its end.
        """
        conversation = Conversation(secrets.token_urlsafe(24), grant, PEER, AgentStream(encode_line, None))
        with self._recorder.exchange(grant.server, PEER, _METHOD) as exchange, self._underway.exchange():
            exchange.identified(grant)
            try:
                async with self._conversations.open(exchange, conversation):
                    # Closed within: the agent need not wait for the end of the server's session.
                    with contextlib.closing(writer):
                        await _write(writer, stdio_socket.encode(Welcome()))
                        conversation.background.spawn(self._read(conversation, reader), "read an agent's lines")
                        await conversation.stream.run(lambda line: _write(writer, line))
            except Refusal as refusal:
                exchange.refused(refusal)
                raise

    async def _read(self, conversation: Conversation, reader: asyncio.StreamReader) -> None:
        """Take what the agent says, line by line, to its end, which is that of the conversation."""
        lines = LineSplitter(MAX_BODY_BYTES)
        with contextlib.suppress(ConnectionError):
            # An agent that broke off is one that has ended.
            with contextlib.suppress(ConnectionError):
                while chunk := await reader.read(_CHUNK_BYTES):
                    for line in lines.feed(chunk):
                        if line is None or line.strip():
                            await self._take(conversation, line)
            await conversation.stream.send(None)

    async def _take(self, conversation: Conversation, line: bytes | None) -> None:
        """One line; None for one that is too long. Raises `ConnectionError` when the stream has ended."""
        with self._recorder.exchange(conversation.grant.server, PEER, _METHOD) as exchange:
            exchange.identified(conversation.grant)
            message = None
            try:
                message, era = self._parse(exchange, line)
                self._underway.check_open()
                await self._pass(exchange, conversation, message, era)
            except Refusal as refusal:
                exchange.refused(refusal)
                if message is None or isinstance(message, Request):
                    await conversation.stream.send(_refused(message, refusal))
            except ConnectionError:
                raise
            except Exception:
                # Whatever is wrong with this line, the next one is read.
                logger.exception("a line over stdio failed")

    def _parse(self, exchange: Exchange, line: bytes | None) -> tuple[Message, Era]:
        exchange.read()
        if line is None:
            text = f"The line is longer than {MAX_BODY_BYTES} bytes."
            raise Refusal(413, "too_large", text, code=INVALID_REQUEST)
        try:
            message = parse_message(line)
        except MalformedError as error:
            raise Refusal(400, error.reason, str(error), code=error.code, id=error.id) from None
        exchange.parsed()
        return message, era_of(message, claimed_version(message))

    async def _pass(self, exchange: Exchange, conversation: Conversation, message: Message, era: Era) -> None:
        caller = self._caller(conversation, message, era)
        if isinstance(message, Request):
            await self._conversations.ask(exchange, conversation, caller, message, era)
        elif not self._cancel(exchange, conversation, message):
            await self._conversations.tell(exchange, conversation, caller, message, era)

    def _caller(self, conversation: Conversation, message: Message, era: Era) -> Caller:
        """The sender, with the headers that it would send over HTTP."""
        if era is Era.LEGACY:
            headers = conversation.headers()
        else:
            headers = mcp_headers.mirrored(message)
            if isinstance(message, Request):
                headers += conversation.param_headers(message)
        return self._dispatch.caller(conversation.grant, headers)

    def _cancel(self, exchange: Exchange, conversation: Conversation, message: Notification | Response) -> bool:
        """Whether a message cancels a modern request, which closing its stream to the server does. Done here if so.

        Legacy servers are told themselves (2026-07-28 stdio, "Cancellation").
        """
        if not isinstance(message, Notification) or message.method != _CANCELLED:
            return False
        call = cancelled_call(conversation.cancellable, message)
        # Without a session there is nobody to tell: the request has been answered, or never was.
        is_known = conversation.has_server_session or cancelled_call(conversation.sessionless, message) is not None
        if call is None and is_known:
            return False
        exchange.decided(conversation.grant, message, _CANCELLATION)
        if call is not None:
            call.cancel()
        return True


def _refused(request: Request | None, refusal: Refusal) -> bytes:
    """What an agent hears of a line that goes no further."""
    body = reply.refusal(refusal).body
    if request is not None:
        # An id in flight stands for the other request, whose answer is yet to come.
        body["id"] = None if refusal.reason == ID_IN_FLIGHT else request.id
    return orjson.dumps(body)


async def _write(writer: asyncio.StreamWriter, line: bytes) -> None:
    """Pass a line on; an agent that does not read for `WRITE_TIMEOUT_S` is cut off."""
    writer.write(line)
    try:
        async with asyncio.timeout(sink.WRITE_TIMEOUT_S):
            await writer.drain()
    except TimeoutError:
        writer.transport.abort()
        raise ConnectionAbortedError("the agent stopped reading") from None
