"""Server-sent events: how a stream is cut does not matter.

Claim: however a stream arrives, no byte is lost, and its events hold the data that a reader by the HTML Standard finds
in it; an event whose data was replaced holds that data and no other.
"""

from gateway.mcp.sse import EventSplitter, event_data, replace_data
from tests.support.event_reader import read_by_the_standard

BOUND = 1 << 20
BOM = b"\xef\xbb\xbf"


def check(data: bytes) -> None:
    """Raise AssertionError where the claim does not hold; the first byte says how long the pieces are."""
    size, stream = 1 + data[0] % 8 if data else 1, data[1:]
    # A reader drops a byte order mark at the start of a stream; we look behind one at the start of any event.
    if BOM in stream.removeprefix(BOM):
        return
    events = cut(stream, [stream])
    in_pieces = cut(stream, [stream[at : at + size] for at in range(0, len(stream), size)])
    expected = read_by_the_standard(stream)
    assert [event for event in map(event_data, events) if event is not None] == expected
    assert [event for event in map(event_data, in_pieces) if event is not None] == expected
    for event in events:
        if event_data(event) is not None:
            assert read_by_the_standard(replace_data(event, b"{}")) == [b"{}"]


def cut(stream: bytes, pieces: list[bytes]) -> list[bytes]:
    """The events of a stream that arrives in these pieces; together with the rest they are the stream."""
    splitter = EventSplitter(BOUND)
    events = [event for piece in pieces for event in splitter.feed(piece)]
    assert b"".join(events) + splitter.rest() == stream
    return events
