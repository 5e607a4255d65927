"""One session on a process of its own. With processes: test_stdio_servers."""

import orjson
import pytest

from gateway.proxy.stdio_session import StdioSession
from gateway.proxy.upstream import Failure, UpstreamError
from tests.support.fake_process import FakeProcess
from tests.support.messages import call, request


async def opened() -> tuple[StdioSession, FakeProcess, list[str]]:
    """A session, its process, and where it says that it has ended."""
    process, closed = FakeProcess(), list[str]()
    process.ready.set()
    return StdioSession("minted", process, closed.append), process, closed


async def test_a_call_that_is_given_up_leaves_the_session_as_it_is():
    """The relay tells the server."""
    session, process, closed = await opened()
    session.expect(call(id="mine"), 5).close()
    assert (process.sent, closed, process.is_ending) == ([], [], False)


async def test_a_handshake_that_is_given_up_ends_the_session():
    """It may not be cancelled, and its process counts as one that could not be started."""
    session, process, closed = await opened()
    answer = session.expect(request("initialize"), 0.01)
    with pytest.raises(UpstreamError):
        await answer.read(1)
    assert (process.sent, closed) == ([], ["minted"])
    assert process.has_failed


async def test_a_process_that_ends():
    """Before the handshake it was none that had started; a call may have run, whatever else is known."""
    session, process, _ = await opened()
    answers = [session.expect(message, 5) for message in (request("initialize", 0), call())]
    session.close()
    assert process.is_ending
    failures = []
    for answer in answers:
        with pytest.raises(UpstreamError) as raised:
            await answer.read(1)
        failures.append((raised.value.failure, raised.value.may_have_run))
    assert failures == [(Failure.DOWN, False), (Failure.BROKEN, True)]


async def test_what_comes_after_the_end_is_dropped():
    """The process is still read, so that it can end."""
    session, _, _ = await opened()
    session.close()
    note = {"method": "notifications/message"}
    await session.take(note, orjson.dumps(note))
    assert await session.listen().read(0) == b""


async def test_a_session_whose_process_starts_is_in_use():
    """It does not make room for another."""
    session, _, _ = await opened()
    assert session.is_busy
