"""What the page on accuracy shows is true, up to date, and would not be so if limits were kept badly."""

import pytest

from gateway.clock import SystemClock
from loadtests import accuracy
from loadtests.accuracy import ALGORITHMS, MAX, PATTERNS, RATES, SECOND_NS, WINDOW_NS, admitted, files, ideal, offered
from loadtests.promises import most_promised, most_within


class NaiveClock(SystemClock):
    """Believes whatever the wall clock shows."""

    def wall_ns(self) -> int:
        return SystemClock().wall_ns()


def test_the_page_and_the_picture_are_as_generated():
    """Whoever changes how limits count has to look at what that makes of them."""
    assert [path.name for path, text in files().items() if path.read_text() != text] == []


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_no_call_more_and_no_call_less_than_the_definition(algorithm, pattern):
    """The same calls pass, at every rate, and never more than was promised."""
    for rate in RATES:
        calls = offered(pattern, rate)
        passed = admitted(algorithm, calls, is_stepped=pattern == "clock stepped")
        assert passed == ideal(algorithm, calls)
        assert most_within(passed, WINDOW_NS) <= most_promised(accuracy.limit(algorithm))


def test_a_clock_that_follows_the_wall_would_be_seen(monkeypatch: pytest.MonkeyPatch):
    """With a clock that lets itself be stepped, the calendar window of the first step is spent twice."""
    monkeypatch.setattr(accuracy, "SystemClock", NaiveClock)
    calls = offered("clock stepped", RATES[-1])
    passed = admitted("fixed_window", calls, is_stepped=True)
    assert sum(2 * WINDOW_NS <= at < 3 * WINDOW_NS for at in passed) == 2 * MAX


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("rate", RATES, ids=str)
def test_calls_come_in_order_and_at_their_rate(pattern, rate):
    """As many in a minute as the rate says, within one for each burst or boundary."""
    calls = offered(pattern, rate)
    assert calls == sorted(calls)
    windows = 5 if pattern == "at boundaries" else 6
    assert 0 <= len(calls) - rate * MAX * windows <= 12
    assert 0 <= calls[0] <= calls[-1] < 60 * SECOND_NS


def test_a_pattern_that_is_not_there_is_an_error():
    """Rather than one without calls."""
    with pytest.raises(ValueError, match="wavy"):
        offered("wavy", RATES[0])
