"""One session on a server, fed by hand. Before real servers it is shown in test_legacy_servers.py."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest
from yarl import URL

from gateway.mcp import sse
from gateway.proxy import sse_server
from gateway.proxy.sse_server import SseSession, message_url
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from tests.support.messages import call, request

BASE = URL("http://127.0.0.1:9090/sse")
EVENTS = [("Content-Type", "text/event-stream; charset=utf-8")]
STREAM = (
    b": hello\r\n\r\nevent: endpoint\r\ndata: /messages/?session_id=1\r\n\r\n"
    b'event: message\r\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\r\n\r\n'
    b"event: other\r\ndata: {}\r\n\r\n"
    b'data: {"jsonrpc":"2.0","id":1,\r\ndata: "result":{"text":"\xc3\xa9"}}\r\n\r\n'
)
NOTE = {"jsonrpc": "2.0", "method": "notifications/message"}
RESULT = {"jsonrpc": "2.0", "id": 1, "result": {"text": "é"}}


class Fed:
    """A session, and the stream that it reads: these chunks, and then silence until it is closed."""

    def __init__(self, *chunks: bytes, status: int = 200, headers: list[tuple[str, str]] = EVENTS) -> None:
        self.closed: list[str] = []
        self._chunks = chunks
        self._end = asyncio.Event()
        stream = Answer(status, headers, self._read, self._end.set)
        self.session = SseSession("minted", BASE, stream, self.closed.append)
        self._running = asyncio.ensure_future(self.session.run())

    async def _read(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            yield chunk
        await self._end.wait()

    def is_busy(self) -> bool:
        """Whether the session says that somebody waits."""
        return self.session.is_busy

    async def end(self) -> None:
        """The server closes the stream."""
        self._end.set()
        await self._running


async def message_of(answer: Answer) -> object:
    """The one message of an answer as events."""
    (event,) = [chunk async for chunk in answer.chunks()]
    return orjson.loads(sse.event_data(event) or b"")


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
async def test_a_stream_cut_anywhere_is_read_alike(cut: int):
    """The address, what nobody asked for and the answer arrive, wherever the server's writes are split."""
    fed = Fed(STREAM[:cut], STREAM[cut:])
    answer = fed.session.expect(call(), 1)
    await fed.session.opened()
    assert str(fed.session.url) == "http://127.0.0.1:9090/messages/?session_id=1"
    assert await message_of(answer) == RESULT
    assert not fed.is_busy()
    listening = fed.session.listen()
    assert fed.is_busy()
    await fed.end()
    assert await message_of(listening) == NOTE
    assert fed.closed == ["minted"]


async def test_a_session_that_is_being_opened_is_in_use():
    """Until it is known where messages go somebody waits for that; then it is idle until somebody asks."""
    fed = Fed(STREAM)
    assert fed.is_busy()
    await fed.session.opened()
    assert not fed.is_busy()
    await fed.end()


@pytest.mark.parametrize("id", [True, 1.0, "1", None, [1]])
async def test_an_answer_has_the_very_id_of_its_request(id: object):
    """What is only equal to it in some language is an answer to something else."""
    fed = Fed(STREAM[: STREAM.index(b"event: message")])
    await fed.session.opened()
    answer = fed.session.expect(call(id=1), 1)
    for said in (RESULT | {"id": id, "result": "another's"}, RESULT):
        await fed.session._take(b"data: " + orjson.dumps(said) + b"\n\n")
    assert await message_of(answer) == RESULT
    await fed.end()


async def test_an_event_beyond_the_bound_ends_the_session(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """F69: memory stays flat, and the log says why the session is gone."""
    monkeypatch.setattr(sse_server, "MAX_EVENT_BYTES", 100)
    fed = Fed(b"event: endpoint\ndata: /messages\n\n", b"data: " + b"x" * 100)
    await fed.end()
    assert fed.closed == ["minted"]
    assert "more than 100 bytes" in caplog.text


async def test_the_address_is_announced_once():
    """Whatever a server announces later, messages go where it first said."""
    fed = Fed(STREAM, b"event: endpoint\ndata: /elsewhere\n\n")
    await fed.session.opened()
    await fed.end()
    assert fed.session.url.path == "/messages/"


async def test_only_the_answer_to_initialize_names_the_session():
    """As a server of streamable HTTP would."""
    fed = Fed()
    assert fed.session.expect(request("initialize"), 1).session_ids == ["minted"]
    assert fed.session.expect(call(id=2), 1).session_ids == []
    await fed.end()


async def test_whoever_waits_when_the_session_ends_is_told():
    """A call may have run by then; opening a session cannot have run anything."""
    fed = Fed()
    answer = fed.session.expect(call(), 1)
    opening = asyncio.ensure_future(fed.session.opened())
    await asyncio.sleep(0)
    fed.session.close()
    fed.session.close()
    with pytest.raises(UpstreamError) as while_opening:
        await opening
    with pytest.raises(UpstreamError) as while_calling:
        await message_of(answer)
    assert [caught.value.may_have_run for caught in (while_opening, while_calling)] == [False, True]
    assert {caught.value.failure for caught in (while_opening, while_calling)} == {Failure.BROKEN}
    await fed.end()
    assert fed.closed == ["minted"]


async def test_an_answer_can_be_waited_for_again():
    """Whoever reads on for an agent that has left gets what it would have got."""
    fed = Fed(b": nothing yet\n\n")
    answer = fed.session.expect(call(), 5)
    reading = asyncio.ensure_future(message_of(answer))
    await asyncio.sleep(0)
    reading.cancel()
    await asyncio.wait([reading])
    again = asyncio.ensure_future(message_of(answer))
    await asyncio.sleep(0)
    await fed.session._take(b"data: " + orjson.dumps(RESULT) + b"\n\n")
    assert await again == RESULT
    await fed.end()


async def test_an_answer_that_was_given_up_frees_its_id():
    """By its time-out, or because it was never asked for; a later request with the id waits for its own."""
    fed = Fed(b"event: endpoint\ndata: /messages\n\n")
    late = fed.session.expect(call(), 0)
    with pytest.raises(UpstreamError) as raised:
        await message_of(late)
    assert raised.value.failure is Failure.TIMEOUT
    await fed.session.opened()
    unposted = fed.session.expect(call(), 1)
    unposted.close()
    assert not fed.is_busy()
    fed.session.expect(call(), 1)
    unposted.close()
    assert fed.is_busy()
    await fed.end()


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (404, EVENTS),
        (302, EVENTS),
        (200, [("Content-Type", "application/json")]),
        (200, [*EVENTS, ("Content-Encoding", "gzip")]),
    ],
)
async def test_what_is_no_stream_opens_no_session(
    status: int, headers: list[tuple[str, str]], caplog: pytest.LogCaptureFixture
):
    """Whatever stands in it is not read; the log says what the server answered instead."""
    fed = Fed(STREAM, status=status, headers=headers)
    with pytest.raises(UpstreamError, match="before a session was open"):
        await fed.session.opened()
    await fed.end()
    assert f"HTTP status {status}" in caplog.text


@pytest.mark.parametrize(
    ("announced", "url"),
    [
        ("/messages?session_id=1", "http://127.0.0.1:9090/messages?session_id=1"),
        ("/messages/?a=%2F&b=c%20d", "http://127.0.0.1:9090/messages/?a=%2F&b=c%20d"),
        ("messages?x", "http://127.0.0.1:9090/messages?x"),
        ("?x", "http://127.0.0.1:9090/sse?x"),
        ("@evil.example/x", "http://127.0.0.1:9090/@evil.example/x"),
        ("/a/../b", "http://127.0.0.1:9090/b"),
        ("http://127.0.0.1:9090/messages?session_id=1", "http://127.0.0.1:9090/messages?session_id=1"),
        ("http://127.0.0.1:9090//evil.example/x", "http://127.0.0.1:9090//evil.example/x"),
    ],
)
def test_an_address_of_the_servers_own_is_taken(announced: str, url: str):
    """A path, absolute or relative, with its query as it stands, or all of it with the server's own origin."""
    assert str(message_url(BASE, announced)) == url


def test_a_port_that_goes_without_saying_may_be_said():
    """Port 80 is the port of `http` whether it is written or not."""
    assert message_url(URL("http://a.example/sse"), "http://a.example:80/m").port == 80
    assert message_url(URL("https://a.example:443/sse"), "https://a.example/m").port == 443


@pytest.mark.parametrize(
    "announced",
    [
        "",
        "http://127.0.0.1:9091/messages",
        "http://127.0.0.1/messages",
        "http://127.1:9090/messages",
        "http://127.0.0.1:9090@evil.example/messages",
        "http://someone@127.0.0.1:9090/messages",
        "http://127%2E0.0.1:9090/messages",
        "//127.0.0.1:9090/messages",
        "https://127.0.0.1:9090/messages",
        "http://localhost:9090/messages",
        "//evil.example/messages",
        "http:messages",
        "file:///etc/passwd",
        "/\\evil.example",
        "/a b",
        "/a\r\nHost: evil.example",
        "/é",
        "http://[",
    ],
)
def test_what_might_be_elsewhere_is_refused(announced: str):
    """Another host, scheme or port, user names, and whatever two readers could take for different things."""
    with pytest.raises(UpstreamError) as raised:
        message_url(BASE, announced)
    assert raised.value.may_have_run is False
