"""The process that the agents of one grant share. With processes: test_stdio_servers."""

import asyncio
from typing import Any

import orjson
import pytest

from gateway.mcp import sse
from gateway.mcp.numbering import LOG_LEVEL_KEY, SUBSCRIPTION_ID_KEY
from gateway.proxy import shared_session
from gateway.proxy.shared_session import SharedSession
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from tests.support.fake_process import FakeProcess
from tests.support.messages import notification, request
from tests.support.waiting import eventually


class Shared:
    """A session whose server the test plays."""

    def __init__(self) -> None:
        self.process = FakeProcess()
        self.process.ready.set()
        self.closed: list[str] = []
        self.session = SharedSession("minted", self.process, self.closed.append)

    async def hear(self, message: dict[str, Any]) -> None:
        """The server says something."""
        await self.session.take(message, orjson.dumps({"jsonrpc": "2.0", **message}))

    async def ask(self, method: str = "tools/list", id: int | str = 1, **params: Any) -> "asyncio.Task[Answer]":
        """Ask, and wait until it has been sent."""
        count = len(self.process.sent)
        asking = asyncio.ensure_future(self.session.ask(request(method, id, **params), 5))
        await eventually(lambda: len(self.process.sent) > count)
        return asking


async def messages_of(answer: Answer) -> list[Any]:
    """The messages of an answer, in either form."""
    body = b"".join([chunk async for chunk in answer.chunks()])
    if answer.media_type == "application/json":
        return [orjson.loads(body)]
    return [orjson.loads(sse.event_data(event) or b"") for event in sse.EventSplitter(1000).feed(body)]


@pytest.mark.parametrize(
    ("answer", "is_modern"),
    [
        ({"result": {}}, True),
        ({"error": {"code": -32022}}, True),
        ({"error": {"code": -32601}}, False),
        ({"error": {"code": -32602}}, False),
        ({"error": 7}, False),
    ],
)
async def test_the_server_is_asked_what_it_speaks(answer: dict[str, Any], is_modern: bool):
    """In the revision of the agent's; a server that knows the question speaks it, whatever it answers."""
    shared = Shared()
    probing = asyncio.ensure_future(shared.session.probe("2026-07-28"))
    await eventually(lambda: shared.process.sent)
    (asked,) = shared.process.sent
    assert asked["method"] == "server/discover"
    assert asked["params"]["_meta"]["io.modelcontextprotocol/protocolVersion"] == "2026-07-28"
    assert shared.session.is_busy
    await shared.hear({"id": asked["id"], **answer})
    assert await shared.session.is_modern(5) is is_modern
    await probing
    assert not shared.session.is_busy


async def test_a_server_that_gives_no_sign_of_life(monkeypatch: pytest.MonkeyPatch):
    """The process is ended as failed, and whoever waits hears that nothing has run."""
    monkeypatch.setattr(shared_session, "START_S", 0.05)
    shared = Shared()
    probing = asyncio.ensure_future(shared.session.probe("2026-07-28"))
    for timeout_s in (0.01, 5):
        with pytest.raises(UpstreamError, match="no sign of life") as raised:
            await shared.session.is_modern(timeout_s)
        assert (raised.value.failure, raised.value.may_have_run) == (Failure.DOWN, False)
    await probing
    assert (shared.closed, shared.process.has_failed) == (["minted"], True)


async def test_equal_ids_are_kept_apart():
    """Each answer goes to its own, in whatever order, under the agent's id."""
    shared = Shared()
    asking = [await shared.ask(id="same") for _ in range(3)]
    numbers = [sent["id"] for sent in shared.process.sent]
    assert len(set(numbers)) == 3
    for number in reversed(numbers):
        await shared.hear({"id": number, "result": {"number": number}})
    answers = [(await messages_of(await one))[0] for one in asking]
    assert [answer["id"] for answer in answers] == ["same"] * 3
    assert [answer["result"]["number"] for answer in answers] == numbers
    assert not shared.session._calls


async def test_what_is_about_nobodys_request_is_dropped():
    """Ids never asked, of another type, answered already; requests of the server's; progress nobody wanted."""
    shared = Shared()
    asking = await shared.ask(id=1)
    number = shared.process.sent[0]["id"]
    for message in (
        *({"id": id, "result": {}} for id in (99, str(number), float(number), None, True)),
        {"id": number, "method": "ping"},
        {"method": "notifications/progress", "params": {"progressToken": number}},
        {"method": "notifications/tools/list_changed"},
    ):
        await shared.hear(message)
    for _ in range(2):
        await shared.hear({"id": number, "result": {"right": True}})
    assert [message["result"] for message in await messages_of(await asking)] == [{"right": True}]


async def test_a_log_message_belongs_to_the_one_request_that_wants_any():
    """Where several do it cannot be told whose it is, and nobody gets it; nor what is no log message."""
    shared, note = Shared(), {"method": "notifications/message", "params": {"data": "x"}}
    silent = await shared.ask(id="silent")
    first = await shared.ask(id="first", _meta={LOG_LEVEL_KEY: "info"})
    await shared.hear(note)
    for bad in ({}, {"params": None}, {"params": [1]}, {"params": {}, "id": 7}):
        await shared.hear({"method": "notifications/message", **bad})
    second = await shared.ask(id="second", _meta={LOG_LEVEL_KEY: "info"})
    await shared.hear(note)
    for sent in shared.process.sent:
        await shared.hear({"id": sent["id"], "result": {}})
    assert [len(await messages_of(await asking)) for asking in (silent, first, second)] == [1, 2, 1]


async def test_what_is_nested_too_deeply_is_an_error_at_once():
    """A notification is lost, an answer fails its call, and nobody else is touched."""
    shared = Shared()
    deep, other = [await shared.ask(id=id, _meta={"progressToken": 1}) for id in range(2)]
    first, second = [sent["id"] for sent in shared.process.sent]
    nested = b"[" * 1010 + b"]" * 1010
    progress = {"method": "notifications/progress", "params": {"progressToken": first}}
    await shared.session.take(progress, b'{"params":{"progressToken":%d,"x":%b}}' % (first, nested))
    await shared.session.take({"id": first, "result": []}, b'{"id":%d,"result":%b}' % (first, nested))
    with pytest.raises(UpstreamError, match="nested too deeply") as raised:
        await messages_of(await deep)
    assert (raised.value.failure, raised.value.may_have_run) == (Failure.BROKEN, True)
    await shared.hear({"id": second, "result": {}})
    assert len(await messages_of(await other)) == 1


async def test_a_subscription_ends_with_the_servers_word_for_it():
    """Over stdio it cancels the request; over HTTP the stream ends."""
    shared = Shared()
    asking = await shared.ask("subscriptions/listen", "sub")
    number = shared.process.sent[0]["id"]
    tagged = {"_meta": {SUBSCRIPTION_ID_KEY: number}}
    await shared.hear({"method": "notifications/subscriptions/acknowledged", "params": tagged})
    await shared.hear({"method": "notifications/cancelled", "params": {"requestId": number}})
    (acknowledged,) = await messages_of(await asking)
    assert acknowledged["params"]["_meta"] == {SUBSCRIPTION_ID_KEY: "sub"}


async def test_who_leaves_cancels_under_the_servers_number():
    """While the answer is awaited, and while it streams; not after it is there."""
    shared = Shared()
    waiting, streaming, done = [await shared.ask(id=id, _meta={"progressToken": 1}) for id in range(3)]
    numbers = [sent["id"] for sent in shared.process.sent]
    waiting.cancel()
    await asyncio.wait([waiting])
    await shared.hear({"method": "notifications/progress", "params": {"progressToken": numbers[1]}})
    (await streaming).close()
    await shared.hear({"id": numbers[2], "result": {}})
    (await done).close()
    assert [sent["params"]["requestId"] for sent in shared.process.sent[3:]] == numbers[:2]


async def test_a_cancellation_by_id_cancels_nobody():
    """Several agents share the process: a late one of one agent must not end the call of another."""
    shared = Shared()
    asking = await shared.ask(id="a")
    await shared.session.tell(notification("notifications/cancelled", requestId="a"), 5)
    assert len(shared.process.sent) == 1
    await shared.hear({"id": shared.process.sent[0]["id"], "result": {"done": True}})
    assert (await messages_of(await asking))[0]["result"] == {"done": True}


async def test_other_notifications_pass_as_they_are():
    """They are about nothing that is numbered."""
    shared = Shared()
    await shared.session.tell(notification("notifications/x", a=1), 5)
    assert [sent["params"] for sent in shared.process.sent] == [{"a": 1}]


async def test_the_end_of_the_process_ends_everything():
    """Whoever waits hears at once that their call may have run."""
    shared = Shared()
    asking = await shared.ask()
    shared.session.close()
    shared.session.close()
    with pytest.raises(UpstreamError) as raised:
        await messages_of(await asking)
    assert (raised.value.failure, raised.value.may_have_run) == (Failure.BROKEN, True)
    assert (shared.closed, shared.process.is_ending) == (["minted"], True)
