"""One session on a server that says everything on one stream."""

from typing import Any

import orjson
import pytest

from gateway.mcp import sse
from gateway.mcp.message import Request
from gateway.proxy.server_session import ServerSession
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from tests.support.messages import request

NOTE = {"jsonrpc": "2.0", "method": "notifications/message", "params": {}}


class Session(ServerSession):
    """One without a server."""

    def __init__(self) -> None:
        self.closed: list[str] = []
        self.events: list[str] = []
        super().__init__("minted", self.closed.append)

    def given_up(self, request: Request) -> None:
        """Remember it."""
        self.events.append(f"gave up {request.id}")

    def ended(self, request: Request) -> UpstreamError:
        """Say so."""
        return UpstreamError(Failure.BROKEN, f"ended before {request.id}", may_have_run=True)

    def let_go(self) -> None:
        """Remember it."""
        self.events.append("let go")

    async def hear(self, message: dict[str, Any]) -> None:
        """The server says something."""
        await self.sort(message, orjson.dumps(message))


async def messages_of(answer: Answer) -> list[Any]:
    """The messages of an answer as events."""
    return [orjson.loads(sse.event_data(event) or b"") async for event in answer.chunks()]


def is_busy(session: Session) -> bool:
    """Whether the session says that somebody waits."""
    return session.is_busy


def progress(token: object) -> dict[str, Any]:
    """A notification of progress."""
    return {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": token}}


async def test_answers_and_progress_go_to_their_calls():
    """By exact id and token, in any order; everything else goes to the mailbox."""
    session = Session()
    first = session.expect(request("tools/call", 1, name="a", _meta={"progressToken": 1}), 5)
    second = session.expect(request("tools/call", "1", name="a", _meta={"progressToken": "1"}), 5)
    assert is_busy(session)
    for message in (progress("1"), progress(1), progress(2), progress(True), NOTE):
        await session.hear(message)
    for id in ("1", 1.0, True, None, [1], 1):
        await session.hear({"id": id, "result": {}})
    assert await messages_of(first) == [progress(1), {"id": 1, "result": {}}]
    assert await messages_of(second) == [progress("1"), {"id": "1", "result": {}}]
    assert not is_busy(session)
    listening = session.listen()
    session.close()
    assert await messages_of(listening) == [progress(2), progress(True), NOTE]


async def test_only_the_handshake_names_the_session():
    """As a server of streamable HTTP does."""
    session = Session()
    assert session.expect(request("initialize"), 5).session_ids == ["minted"]
    assert session.expect(request("tools/list", 2), 5).session_ids == []


async def test_what_nobody_waits_for_is_given_up_once():
    """On a time-out or when the answer is closed, but not once the server has answered."""
    session = Session()
    slow, closed, done = (session.expect(request("tools/list", id), 0.01) for id in ("slow", "closed", "done"))
    with pytest.raises(UpstreamError) as raised:
        await messages_of(slow)
    assert raised.value.failure is Failure.TIMEOUT
    closed.close()
    await session.hear({"id": "done", "result": {}})
    for answer in (slow, closed, done):
        answer.close()
    assert session.events == ["gave up slow", "gave up closed"]


async def test_the_end_is_told_to_whoever_waits():
    """Once, and nobody is given up then."""
    session = Session()
    waiting = session.expect(request("tools/list", 7), 5)
    session.close()
    session.close()
    waiting.close()
    with pytest.raises(UpstreamError, match="ended before 7"):
        await messages_of(waiting)
    assert (session.closed, session.events, session.is_open) == (["minted"], ["let go"], False)
