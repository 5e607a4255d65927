"""One request, from when it is sent until it is answered."""

from typing import Any

import pytest

from gateway.mcp import sse
from gateway.proxy import pending_call
from gateway.proxy.pending_call import PendingCall
from gateway.proxy.upstream import Failure, UpstreamError
from tests.support.messages import call, request

BROKEN = UpstreamError(Failure.BROKEN, "It broke.", may_have_run=True)


class Pending:
    """A call, and how often it was given up."""

    def __init__(self, **params: Any) -> None:
        self.call = PendingCall(request("tools/call", name="t", **params))
        self.given_up = 0

    def give_up(self) -> None:
        """Nobody waits."""
        self.given_up += 1

    async def rest(self, timeout_s: float = 5) -> list[bytes]:
        """What a stream for it gives from now on, as data."""
        stream = self.call.stream(timeout_s, self.give_up)
        return [sse.event_data(chunk) or b"" async for chunk in stream.chunks()]


@pytest.mark.parametrize(("code", "status"), [(None, 200), (-32601, 404), (-32022, 400), (-32603, 200), ("x", 200)])
async def test_a_prompt_answer_is_one_body(code: object, status: int):
    """With the status that an error of its code has over HTTP."""
    pending = Pending()
    pending.call.answer(b"{}", code)
    answer = await pending.call.begin(5, pending.give_up)
    assert (answer.status, answer.media_type, answer.content_length) == (status, "application/json", 2)
    assert await answer.read(10) == b"{}"


async def test_whatever_is_said_before_makes_it_a_stream():
    """In the order in which it was said, the answer last."""
    pending = Pending()
    pending.call.say(b"1")
    pending.call.answer(b"2")
    answer = await pending.call.begin(5, pending.give_up)
    assert (answer.status, answer.media_type) == (200, "text/event-stream")
    assert await pending.rest() == [b"1", b"2"]


async def test_a_slow_answer_is_a_stream(monkeypatch: pytest.MonkeyPatch):
    """So that it can be kept alive until it comes."""
    monkeypatch.setattr(pending_call, "PROMPT_S", 0)
    pending = Pending()
    answer = await pending.call.begin(5, pending.give_up)
    assert answer.media_type == "text/event-stream"
    pending.call.answer(b"1")
    assert await pending.rest() == [b"1"]


async def test_an_answer_is_still_there_for_whoever_reads_on():
    """An agent that leaves in the middle does not take it along."""
    pending = Pending()
    pending.call.answer(b"1")
    stream = pending.call.stream(5, pending.give_up)
    await anext(aiter(stream.chunks()))
    assert await pending.rest() == [b"1"]


async def test_what_is_not_answered_in_time_is_given_up():
    """Once, with the failure that says so."""
    pending = Pending()
    with pytest.raises(UpstreamError) as raised:
        await pending.rest(0.01)
    assert (raised.value.failure, raised.value.may_have_run, pending.given_up) == (Failure.TIMEOUT, True, 1)


async def test_a_failure_comes_after_what_was_said():
    """And an end without one, as that of a subscription, is just the end."""
    failed, ended = Pending(), Pending()
    failed.call.end(BROKEN)
    with pytest.raises(UpstreamError, match="It broke"):
        await failed.rest()
    ended.call.say(b"1")
    ended.call.end(None)
    assert await ended.rest() == [b"1"]


async def test_who_does_not_read_loses_the_oldest():
    """Never the answer, and not more than is too much."""
    pending = Pending()
    for number in range(100):
        pending.call.say(b"%2d" % number * 50_000)
    pending.call.answer(b"answer")
    said = await pending.rest()
    assert said[-1] == b"answer"
    assert said[-2] == b"99" * 50_000
    assert len(said) == 11


@pytest.mark.parametrize(("token", "own"), [("p", "p"), (1, 1)])
async def test_tokens_are_compared_exactly(token: object, own: object):
    """1 is neither 1.0 nor true nor "1", and whoever asked for nothing has none."""
    pending = Pending(_meta={"progressToken": own})
    assert pending.call.has_token(token)
    assert not any(pending.call.has_token(other) for other in ("1", 1.0, True, None, "q"))
    assert not PendingCall(call()).has_token(None)
