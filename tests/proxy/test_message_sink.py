"""From an HTTP answer to messages on the agent's one stream. Whole exchanges are shown in tests/functional."""

from typing import Any

import orjson
import pytest

from gateway.mcp import sse
from gateway.mcp.message import Message
from gateway.mcp.versions import Era
from gateway.proxy import message_sink, reply
from gateway.proxy.conversation import AgentStream, Conversation
from gateway.proxy.message_sink import MessageSink
from gateway.proxy.reply import Reply
from gateway.proxy.upstream import UpstreamError
from tests.support.grants import grant
from tests.support.messages import call, notification, request

JSON = [("Content-Type", "application/json")]
EVENTS = [("content-type", "text/event-stream; charset=utf-8")]
RESULT = b'{"jsonrpc":"2.0","id":1,"result":{}}'


class Heard(AgentStream):
    """A stream that remembers what it was sent."""

    def __init__(self) -> None:
        super().__init__(bytes, 60)
        self.sent: list[bytes | None] = []

    async def send(self, message: bytes | None) -> None:
        """Remember it."""
        self.sent.append(message)

    def messages(self) -> list[Any]:
        """What a reader makes of it."""
        return [orjson.loads(message) for message in self.sent if message is not None]


@pytest.fixture
def heard() -> Heard:
    """What the agent hears."""
    return Heard()


@pytest.fixture
def session(heard: Heard) -> Conversation:
    """The agent's session."""
    return Conversation("s", grant(), "127.0.0.1", heard)


async def test_a_body_becomes_one_message_byte_for_byte(heard: Heard, session: Conversation):
    """However it comes in, and whether or not we can read all of it."""
    for body in (b'{ "jsonrpc":"2.0","id":1, "result":{"n":1.50} }', b'{"jsonrpc":"2.0","id":1,"result":{"n":NaN}}'):
        sink = MessageSink(session, call(), Era.LEGACY, "x-1")
        await sink.begin(200, JSON, None)
        for byte in body:
            await sink.write(bytes([byte]))
        await sink.end()
        await sink.finish()
        assert heard.sent.pop() == body
        assert heard.sent == []


async def test_a_body_that_is_too_long_is_a_failure_of_the_servers(
    heard: Heard, session: Conversation, monkeypatch: pytest.MonkeyPatch
):
    """Memory is bounded, and the agent hears of it."""
    monkeypatch.setattr(message_sink, "MAX_EVENT_BYTES", 100)
    sink = MessageSink(session, call(), Era.LEGACY, "x-1")
    await sink.begin(200, JSON, None)
    with pytest.raises(UpstreamError, match="longer than 100 bytes"):
        await sink.write(b"x" * 101)
    sink.abort()
    await sink.finish()
    (answer,) = heard.messages()
    assert (answer["id"], answer["result"]["isError"]) == (1, True)


async def test_messages_before_the_answer_are_not_the_answer(heard: Heard, session: Conversation):
    """A server's request may have the same id; only a response to ours ends the wait."""
    sink = MessageSink(session, call(), Era.LEGACY, "x-1")
    await sink.begin(200, EVENTS, None)
    asked = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    await sink.write(sse.encode_event(orjson.dumps(asked)))
    await sink.end()
    await sink.finish()
    first, last = heard.messages()
    assert (first, last["result"]["isError"]) == (asked, True)


async def test_an_answer_is_given_once(heard: Heard, session: Conversation):
    """After the answer nothing is added, whatever becomes of the connection it came on."""
    sink = MessageSink(session, call(), Era.LEGACY, "x-1")
    await sink.begin(200, EVENTS, None)
    await sink.write(sse.encode_event(RESULT))
    sink.abort()
    await sink.finish()
    assert heard.sent == [RESULT]


@pytest.mark.parametrize("message", [notification(), None], ids=["notification", "no message"])
async def test_what_asks_for_nothing_is_not_answered(heard: Heard, session: Conversation, message: Message | None):
    """Statuses and bodies for a notification, or for a request without a message, are no messages."""
    sink = MessageSink(session, message, Era.LEGACY, "x-1")
    await sink.begin(405, JSON, None)
    await sink.write(RESULT)
    await sink.end()
    await sink.reply(Reply(503, reply.error_body(None, -32603, "down")))
    await sink.finish()
    assert (heard.sent, sink.status) == ([], 503)


async def test_events_are_for_who_asked_or_listens(heard: Heard, session: Conversation):
    """A server's stream of its own is passed on whole; one that it answers a notification with is nobody's."""
    for message, expected in ((None, [RESULT]), (notification(), [])):
        sink = MessageSink(session, message, Era.LEGACY, "x-1")
        await sink.begin(200, EVENTS, None)
        await sink.write(sse.encode_event(RESULT))
        await sink.end()
        assert heard.sent == expected
        heard.sent.clear()


async def test_only_the_handshake_names_the_session(session: Conversation):
    """A session id in another answer changes nothing; the revision is that of the result."""
    headers = [*JSON, ("mcp-session-id", "sealed")]
    for message in (call(), request("initialize")):
        assert not session.has_server_session
        sink = MessageSink(session, message, Era.LEGACY, "x-1")
        await sink.begin(200, headers, None)
        await sink.write(b'{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":"2025-11-25"}}')
        await sink.end()
    assert dict(session.headers()) == {"mcp-session-id": "sealed", "mcp-protocol-version": "2025-11-25"}


async def test_a_lost_session_ends_the_stream(heard: Heard, session: Conversation):
    """First the answer, with the request's own id, then the end."""
    sink = MessageSink(session, call(id="mine"), Era.LEGACY, "x-1")
    await sink.reply(reply.refusal(reply.session_not_found()))
    assert heard.sent.pop() is None
    assert [(answer["id"], answer["error"]["code"]) for answer in heard.messages()] == [("mine", -32001)]
