"""What every filter of answers shares. Its use is shown in test_listing.py and test_task_handles.py."""

from typing import Any

import pytest

from gateway.proxy.answer_filter import AnswerFilter, UnreadableAnswerError, Watch


class Marking(AnswerFilter):
    """Marks the messages that ask for it."""

    def _filter(self, message: dict[str, Any]) -> bool:
        wants = bool(message.get("mark"))
        if wants:
            message["marked"] = True
        return wants


def test_what_does_not_change_keeps_its_bytes():
    """Spaces, order and number forms survive, in a body and in an event."""
    body = b'{ "a" : 1.50 }'
    assert Marking().filter_json(body) == body
    event = b"id: 1\r\ndata: " + body + b"\r\n\r\n"
    assert Marking().filter_event(event) == event
    assert Marking().filter_json(b"") == b""


def test_what_changes_is_written_anew():
    """An event keeps its other fields."""
    assert Marking().filter_json(b'{"mark":1}') == b'{"mark":1,"marked":true}'
    assert Marking().filter_event(b'id: 1\ndata: {"mark":1}\n\n') == b'id: 1\ndata: {"mark":1,"marked":true}\n\n'


@pytest.mark.parametrize("text", [b"[]", b"1", b"{", b'{"a":1,"a":2}'])
def test_what_cannot_be_read_in_one_way_is_not_passed_on(text: bytes):
    """Also a batch, which could hide what is looked for."""
    with pytest.raises(UnreadableAnswerError, match="server sent"):
        Marking().filter_json(text)


def test_a_watch_sees_what_has_its_mark():
    """The JSON text alone, of a body or of an event; all of it passes unchanged, readable or not."""
    seen: list[bytes] = []
    watch = Watch(b"mark", seen.append)
    for body in (b'{"mark":1}', b'{"other":1}', b"mark, but no JSON"):
        assert watch.filter_json(body) == body
    for event in (b'data: {"mark":\r\ndata: 2}\r\n\r\n', b": mark in a comment\n\n", b"data: {}\n\n"):
        assert watch.filter_event(event) == event
    assert seen == [b'{"mark":1}', b"mark, but no JSON", b'{"mark":\n2}', b""]
    assert not watch.must_read


def test_a_filter_that_follows_a_watch_has_its_turn():
    """And its say on what must be read."""
    seen: list[bytes] = []
    watch = Watch(b"mark", seen.append, Marking())
    assert watch.must_read
    assert watch.filter_json(b'{"mark":1}') == b'{"mark":1,"marked":true}'
    assert b'"marked":true' in watch.filter_event(b'data: {"mark":1}\n\n')
    assert len(seen) == 2
    with pytest.raises(UnreadableAnswerError):
        watch.filter_json(b"[]")
    assert not Watch(b"a", seen.append, Watch(b"b", seen.append)).must_read
