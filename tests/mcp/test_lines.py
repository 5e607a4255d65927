"""Cutting a stream into lines."""

import pytest

from gateway.mcp.lines import LineSplitter, LineTooLongError

STREAM = b'{"a":1}\r\n\n{"b":"\xc3\xa9\r"}\n\x00\xff\r\r\nhalf'
LINES = [b'{"a":1}', b"", b'{"b":"\xc3\xa9\r"}', b"\x00\xff\r"]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_lines_are_the_same_wherever_the_stream_is_cut(cut: int):
    """LF and CRLF end a line, nothing else does, and what is not ended is no line."""
    splitter = LineSplitter(100)
    assert [*splitter.feed(STREAM[:cut]), *splitter.feed(STREAM[cut:])] == LINES


def test_a_stream_byte_by_byte():
    """Every write may be as small as it likes."""
    splitter = LineSplitter(100)
    assert [line for byte in STREAM for line in splitter.feed(bytes([byte]))] == LINES


@pytest.mark.parametrize("chunks", [[b"x" * 11], [b"x" * 6, b"x" * 5], [b"x" * 11 + b"\n"]])
def test_a_line_is_bounded(chunks: list[bytes]):
    """Whether or not it has ended by then."""
    splitter = LineSplitter(10)
    assert splitter.feed(b"x" * 10 + b"\n") == [b"x" * 10]
    *before, last = chunks
    assert [splitter.feed(chunk) for chunk in before] == [[]] * len(before)
    with pytest.raises(LineTooLongError, match="10 bytes"):
        splitter.feed(last)
