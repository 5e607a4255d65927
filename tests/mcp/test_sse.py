"""Server-sent events, cut at any byte, against a plain reading of the HTML Standard."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.mcp.sse import EventSplitter, EventTooLargeError, encode_event, event_data, event_name, replace_data
from tests.support.event_reader import read_by_the_standard

ENDS = (b"\r", b"\n", b"\r\n")
LINES = (
    b"data: x", b"data:", b"data", b"data:  two spaces", b"data:a:b", b'data: {"k":1}', b"data: \xc3\xa9",
    b"data: \xff", b"Data: z", b"data : z", b" data: z", b"data\x00: z", b": comment", b":", b"id: 7",
    b"id: \x00", b"retry: 5", b"event: message", b"other", b"",
)  # fmt: skip
STREAMS = st.builds(
    lambda bom, pieces: b"\xef\xbb\xbf" * bom + b"".join(pieces),
    st.booleans(),
    st.lists(
        st.sampled_from(LINES + ENDS * 6) | st.binary(max_size=3).filter(lambda b: b"\xbb" not in b),
        max_size=30,
    ),
)


def cut(stream: bytes, chunks: list[bytes]) -> list[bytes]:
    """The events of a stream that arrives in chunks; checks that no byte is lost or changed."""
    splitter = EventSplitter(1 << 20)
    events = [event for chunk in chunks for event in splitter.feed(chunk)]
    assert b"".join(events) + splitter.rest() == stream
    return events


def data_of(events: list[bytes]) -> list[bytes]:
    """What a reader would see of the events."""
    return [data for event in events if (data := event_data(event)) is not None]


def every_cut(stream: bytes) -> list[list[bytes]]:
    """The stream whole, byte by byte, and in two at every position."""
    singles = [stream[at : at + 1] for at in range(len(stream))]
    return [[stream], singles, *([stream[:at], stream[at:]] for at in range(len(stream) + 1))]


@given(STREAMS)
@settings(max_examples=200)
@example(b"data: a\r\r\ndata: b\r\n\r\n\r\ndata: c\n\r")
@example(b"\n\n\ndata: a\n\n")
@example(b"data: a\r\n\r\ndata: cut short\r\n")
def test_every_cut_of_a_stream_is_read_alike(stream):
    """Whole, byte by byte or in two at any position, readers see the same data, and every byte is kept."""
    expected = read_by_the_standard(stream)
    for chunks in every_cut(stream):
        assert data_of(cut(stream, chunks)) == expected


@given(STREAMS, st.lists(st.integers(1, 5), max_size=40))
@settings(max_examples=100)
def test_any_chunks_are_read_alike(stream, lengths):
    """Chunks of any lengths make the same events."""
    chunks, rest = [], stream
    for length in lengths:
        chunks.append(rest[:length])
        rest = rest[length:]
    assert data_of(cut(stream, [*chunks, rest])) == read_by_the_standard(stream)


@pytest.mark.parametrize("first", ENDS)
@pytest.mark.parametrize("second", ENDS)
def test_an_event_is_complete_with_its_empty_line(first, second):
    """Whatever ends the lines, the event is there as soon as its empty line is, even if half a CRLF is due."""
    splitter = EventSplitter(100)
    assert splitter.feed(b"data: x" + first) == []
    if (first, second) == (b"\r", b"\n"):
        assert splitter.feed(second) == []
        second = b"\n"
    assert len(splitter.feed(second)) == 1
    assert splitter.rest() == b""


def test_a_stream_that_ends_inside_an_event_leaves_a_rest():
    """What was cut short is no event: readers discard it, and so can the relay."""
    splitter = EventSplitter(100)
    assert splitter.feed(b"data: a\n\ndata: b\n") == [b"data: a\n\n"]
    assert splitter.rest() == b"data: b\n"


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_an_event_beyond_the_bound_is_refused_however_it_arrives(size):
    """Complete or not, in one piece or many, an event may be as long as the bound and no longer."""
    fits = b"data: " + b"x" * 56 + b"\n\n"
    too_long = b"data: " + b"x" * 57 + b"\n\n"
    splitter = EventSplitter(len(fits))
    for stream, is_refused in ((fits * 3, False), (too_long, True)):
        chunks = [stream[at : at + size] for at in range(0, len(stream), size)]
        if is_refused:
            with pytest.raises(EventTooLargeError, match="64 bytes"):
                [splitter.feed(chunk) for chunk in chunks]
        else:
            assert b"".join(event for chunk in chunks for event in splitter.feed(chunk)) == stream


def test_an_endless_line_is_refused():
    """A server that never ends its line fills no memory."""
    splitter = EventSplitter(1000)
    for _ in range(100):
        assert splitter.feed(b"x" * 10) == []
    with pytest.raises(EventTooLargeError):
        splitter.feed(b"x")


@pytest.mark.parametrize(
    ("event", "data"),
    [
        (b"data: a\ndata: b\n\n", b"a\nb"),
        (b"data: a\rdata: b\r\r", b"a\nb"),
        (b"data\n\n", b""),
        (b"data:\n\n", b""),
        (b"data:\ndata\n\n", b"\n"),
        (b"id: 1\ndata:  a \n\n", b" a "),
        (b"\xef\xbb\xbfdata: first\n\n", b"first"),
        (b"data: \xef\xbb\xbfx\n\n", b"\xef\xbb\xbfx"),
        (b": ping\n\n", None),
        (b"id: 1\nretry: 100\n\n", None),
        (b"event: data: x\n\n", None),
        (b"\n\n", None),
        (b"", None),
    ],
)
def test_the_data_of_one_event(event, data):
    """Data lines are joined by LF and lose one space; a comment or another field has no data."""
    assert event_data(event) == data


@given(STREAMS.filter(bool), st.binary(max_size=20).filter(lambda data: not re.search(rb"[\r\n]", data)))
@settings(max_examples=100)
def test_replaced_data_is_what_readers_see(stream, data):
    """Of any event made anew a reader sees the new data, once, and the other fields as they were."""
    event = stream + b"\n\n"
    replaced = replace_data(event, data)
    assert event_data(replaced) == data
    assert cut(replaced, [replaced]) == [replaced]


@pytest.mark.parametrize("end", ENDS)
def test_replacing_keeps_id_event_and_retry(end):
    """The fields by which a client resumes a stream stay as the server sent them."""
    event = end.join([b"event: message", b"data: old", b"id: 12/3", b": note", b"data: lines", b"retry: 500", b"", b""])
    assert replace_data(event, b"new") == (b"event: message\nid: 12/3\n: note\nretry: 500\ndata: new\n\n")


def test_an_encoded_event_reads_back():
    """Our own events are `message` events that carry the data given."""
    event = encode_event(b'{"jsonrpc":"2.0"}')
    assert event == b'event: message\ndata: {"jsonrpc":"2.0"}\n\n'
    assert event_data(event) == b'{"jsonrpc":"2.0"}'
    assert event_name(encode_event(b"/messages", b"endpoint")) == b"endpoint"


@pytest.mark.parametrize("end", ENDS)
def test_data_of_several_lines_is_one_event(end):
    """Whatever ends the lines of the data, readers join them with LF; nothing in it ends the event or adds a field."""
    event = encode_event(end.join([b"{", b"event: x", b"", b"}"]))
    assert event_data(event) == b"{\nevent: x\n\n}"
    assert (event_name(event), cut(event, [event])) == (b"message", [event])


@pytest.mark.parametrize(
    ("event", "name"),
    [
        (b"data: a\n\n", b"message"),
        (b"event: endpoint\r\ndata: a\r\n\r\n", b"endpoint"),
        (b"data: event: endpoint\n\n", b"message"),
        (b"event: a\nevent: b\n\n", b"b"),
        (b"event: a\nevent:\n\n", b"message"),
        (b"\xef\xbb\xbfevent:a\n\n", b"a"),
    ],
)
def test_the_name_of_one_event(event, name):
    """The last one given counts; without one it is a message."""
    assert event_name(event) == name
