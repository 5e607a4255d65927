"""Windows: how they may be written, and how they are put into words."""

import pytest

from gateway.policy.windows import DAY_NS, SECOND_NS, describe_window, parse_window


@pytest.mark.parametrize(
    ("window", "seconds", "words"),
    [
        ("second", 1, "a second"),
        ("minute", 60, "a minute"),
        ("hour", 3600, "an hour"),
        ("day", 86_400, "a day"),
        ("1s", 1, "a second"),
        ("90s", 90, "in 90 seconds"),
        ("15m", 900, "in 15 minutes"),
        ("60m", 3600, "an hour"),
        ("2h", 7200, "in 2 hours"),
        ("1.5h", 5400, "in 90 minutes"),
        ("366d", 366 * 86_400, "in 366 days"),
        (1, 1, "a second"),
        (60, 60, "a minute"),
        (1.5, 1.5, "in 1.5 seconds"),
    ],
)
def test_a_window_is_a_name_a_duration_or_seconds(window: str | float, seconds: float, words: str):
    """Every spelling gives its nanoseconds, and equal windows are described alike."""
    assert parse_window(window) == seconds * SECOND_NS
    assert describe_window(parse_window(window)) == words


@pytest.mark.parametrize(
    "window", ["", "s", "minutes", "Minute", "1.s", "-1s", "+1s", " 1s", "1 s", "1w", "٣s", "9" * 5000 + "s"]
)
def test_any_other_text_is_refused(window: str):
    """What is not a window is refused with the spellings that are."""
    with pytest.raises(ValueError, match="is not a window; write `second`, `minute`"):
        parse_window(window)


@pytest.mark.parametrize("window", ["0s", "999ms", 0, 0.999, -60, "367d", 366 * 86_400 + 1, 1e300])
def test_a_window_has_bounds(window: str | float):
    """A window shorter than a second or longer than 366 days is refused."""
    with pytest.raises(ValueError, match="at least 1 second and at most 366 days"):
        parse_window(window)


def test_the_longest_window_is_allowed():
    """366 days, to the second."""
    assert parse_window(366 * 86_400) == 366 * DAY_NS
