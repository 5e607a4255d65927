"""What passes for the answer to a request, and what does not."""

import pytest

from gateway.proxy.awaited import AwaitedAnswer
from gateway.proxy.upstream import Failure, UpstreamError

ANSWER = b'{"jsonrpc":"2.0","id":7,"result":{}}'
NOTICE = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":7,"progress":1}}'
QUESTION = b'{"jsonrpc":"2.0","id":7,"method":"roots/list"}'
OTHERS = {
    "F68 another's id": ANSWER.replace(b"7", b"8"),
    "F68 the id as text": ANSWER.replace(b"7", b'"7"'),
    "F68 id null": ANSWER.replace(b"7", b"null"),
    "F68 no id": b'{"jsonrpc":"2.0","result":{}}',
}
UNREADABLE = {
    "F68 no JSON": b"done",
    "F68 cut short": ANSWER[:-1],
    "F68 an array": b"[" + ANSWER + b"]",
    "F68 id true": ANSWER.replace(b"7", b"true"),
    "F68 NaN": ANSWER.replace(b"{}}", b'{"a":NaN}}'),
    "F68 100,000 levels": ANSWER.replace(b"{}}", b'{"a":%s}}' % (b"[" * 100_000 + b"]" * 100_000)),
    "F68 no jsonrpc": b'{"id":7,"result":{}}',
    "F68 jsonrpc 1.0": ANSWER.replace(b"2.0", b"1.0"),
    "F68 a request with a result": QUESTION.replace(b"}", b',"result":{}}'),
    "F68 neither result nor error": b'{"jsonrpc":"2.0","id":7}',
    "F68 both": b'{"jsonrpc":"2.0","id":7,"result":{},"error":{}}',
    "F68 a result that is an array": ANSWER.replace(b"{}", b"[]"),
    "F68 a result that is null": ANSWER.replace(b"{}", b"null"),
}


def event(data: bytes) -> bytes:
    """A message as an event."""
    return b"id: 1\ndata: " + data + b"\n\n"


@pytest.mark.parametrize("answer", [ANSWER, ANSWER.replace(b"result", b"error"), b" " + ANSWER + b"\n"])
def test_the_answer_passes(answer):
    """A result or an error with the id of the request, as a body or as an event."""
    AwaitedAnswer(7).check_body(answer)
    awaited = AwaitedAnswer(7)
    assert awaited.takes(event(answer.strip()))
    awaited.check_end()


@pytest.mark.parametrize("body", [*(OTHERS | UNREADABLE).values(), NOTICE, QUESTION, b""])
def test_a_body_that_is_no_answer_is_a_failure_of_the_server(body):
    """F68: the call may have run, and the agent does not get what is somebody else's."""
    with pytest.raises(UpstreamError) as raised:
        AwaitedAnswer(7).check_body(body)
    assert (raised.value.failure, raised.value.may_have_run) == (Failure.BROKEN, True)
    assert len(str(raised.value)) < 100


@pytest.mark.parametrize("data", UNREADABLE.values(), ids=UNREADABLE)
def test_an_event_that_is_no_message_is_a_failure_of_the_server(data):
    """F68: nobody could make anything of it, so nobody waits for what comes after it."""
    with pytest.raises(UpstreamError):
        AwaitedAnswer(7).takes(event(data))


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS)
def test_the_answers_to_others_are_dropped_from_a_stream(data, caplog: pytest.LogCaptureFixture):
    """F68: with a line in the log, without their contents; the answer itself still passes."""
    awaited = AwaitedAnswer(7)
    assert not awaited.takes(event(data))
    assert caplog.messages == ["dropped from a server's stream: an answer that nobody awaits"]
    assert awaited.takes(event(ANSWER))
    awaited.check_end()


def test_an_answer_passes_once(caplog: pytest.LogCaptureFixture):
    """F68: other replies are dropped, with one line in the log for all of them."""
    awaited = AwaitedAnswer(7)
    assert [awaited.takes(event(ANSWER)) for _ in range(3)] == [True, False, False]
    awaited.check_end()
    assert len(caplog.messages) == 1


def test_a_stream_with_answers_to_others_alone_is_a_failure_of_the_server():
    """F68: the agent is told instead of left waiting."""
    awaited = AwaitedAnswer(7)
    awaited.takes(event(OTHERS["F68 another's id"]))
    with pytest.raises(UpstreamError):
        awaited.check_end()


def test_what_else_a_server_says_passes():
    """Notifications, requests, comments, events without data and of other kinds; a stream may end before its answer."""
    awaited = AwaitedAnswer(7)
    passes = [event(NOTICE), event(QUESTION), b": hello\n\n", b"id: 1\n\n", b"event: x\ndata: y\n\n"]
    assert all(map(awaited.takes, passes))
    awaited.check_end()
