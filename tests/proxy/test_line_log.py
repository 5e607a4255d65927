"""The log of what is no message."""

import logging

import pytest

from gateway.proxy import line_log
from gateway.proxy.line_log import LineLog
from tests.support.waiting import eventually


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged."""
    caplog.set_level(logging.INFO)
    return caplog


async def test_lines_are_logged_as_they_are_completed(log: pytest.LogCaptureFixture):
    """Cut anywhere, with what has no end at the end."""
    lines = LineLog("server a")
    for chunk in (b"one\nt", b"wo\r\nthr", b"ee"):
        lines.feed(chunk)
    assert log.messages == ["server a: one", "server a: two"]
    lines.close()
    assert log.messages[2:] == ["server a: three"]


async def test_a_line_forges_nothing(log: pytest.LogCaptureFixture):
    """Control characters, other line ends and what is no text are shown as escapes."""
    lines = LineLog("a")
    lines.feed(b"\x1b[2J\x00 \xe2\x80\xa8 \xff caf\xc3\xa9\rINFO forged\n")
    lines.close()
    assert log.messages == ["a: \\x1b[2J\\x00 \\u2028 \\xff café\\rINFO forged"]


async def test_a_long_line_is_cut(log: pytest.LogCaptureFixture):
    """However it arrives, and nothing of it is kept."""
    lines = LineLog("a")
    for _ in range(100):
        lines.feed(b"x" * 100_000)
    assert len(lines._pending) <= line_log.MAX_LINE_BYTES + 1
    lines.feed(b"\nnext\n")
    lines.close()
    assert log.messages == ["a: " + "x" * 500 + " …", "a: next"]


async def test_a_flood_is_summed(log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    """Twenty lines in an interval, then the number of the others, and the next interval begins anew."""
    monkeypatch.setattr(line_log, "INTERVAL_S", 0.05)
    lines = LineLog("a")
    for _ in range(10):
        lines.feed(b"flood\n" * 1000)
    assert log.messages == ["a: flood"] * 20
    await eventually(lambda: len(log.messages) == 21)
    assert log.messages[20] == "a: … 9980 more lines"
    lines.feed(b"again\n" * 22)
    lines.close()
    assert log.messages[21:] == [*["a: again"] * 20, "a: … 2 more lines"]
