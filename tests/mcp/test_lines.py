"""Messages as lines: cut out of a stream that may be split anywhere, and written so that each stays one."""

import pytest

from gateway.mcp.lines import LineSplitter, encode_line

STREAM = b'{"a":1}\r\n\n{"b":"\xc3\xa9\r"}\n\x00\xff\r\r\nhalf'
LINES = [b'{"a":1}', b"", b'{"b":"\xc3\xa9\r"}', b"\x00\xff\r"]


def fed(stream: bytes, size: int, limit: int = 100) -> list[bytes | None]:
    """The lines of a stream that comes in pieces of this size."""
    splitter = LineSplitter(limit)
    return [line for start in range(0, len(stream), size) for line in splitter.feed(stream[start : start + size])]


@pytest.mark.parametrize("cut", range(len(STREAM) + 1))
def test_lines_are_the_same_wherever_the_stream_is_cut(cut: int):
    """LF and CRLF end a line, nothing else does, and what is not ended is no line."""
    splitter = LineSplitter(100)
    assert [*splitter.feed(STREAM[:cut]), *splitter.feed(STREAM[cut:])] == LINES


def test_a_stream_byte_by_byte():
    """Every write may be as small as it likes."""
    assert fed(STREAM, 1) == LINES


def test_a_line_that_is_too_long_is_told_at_once_and_skipped_to_its_end():
    """However it is split there is one None for it, one of just the bound passes, and the next line is read."""
    stream = b"a\n" + b"x" * 35 + b"\n0123456789\n" + b"y" * 11 + b"\nc\n"
    for size in range(1, len(stream) + 1):
        assert fed(stream, size, 10) == [b"a", None, b"0123456789", None, b"c"]
    assert LineSplitter(10).feed(b"x" * 11) == [None]


def test_what_is_skipped_is_not_kept():
    """A line without end takes no memory."""
    splitter = LineSplitter(10)
    assert splitter.feed(b"x" * 11) == [None]
    for _ in range(1000):
        assert splitter.feed(b"x" * 1000) == []
    assert len(splitter._pending) == 0


def test_a_message_is_one_line():
    """Line ends between its parts become spaces; escaped ones within strings stay."""
    assert encode_line(b'{\r\n "a":\n "b\\n"\r}') == b'{   "a":  "b\\n" }\n'
