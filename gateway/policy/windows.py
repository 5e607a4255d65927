"""The window of a limit: read from a document, and put into words for the agent."""

from typing import Final

from gateway.reading.scalars import duration_ns

SECOND_NS: Final = 1_000_000_000
MINUTE_NS: Final = 60 * SECOND_NS
HOUR_NS: Final = 60 * MINUTE_NS
DAY_NS: Final = 24 * HOUR_NS

SHORTEST_NS: Final = SECOND_NS
LONGEST_NS: Final = 366 * DAY_NS

_NAMED: Final = {"second": SECOND_NS, "minute": MINUTE_NS, "hour": HOUR_NS, "day": DAY_NS}


def parse_window(window: str | int | float) -> int:
    """Nanoseconds of a window: a name, a duration such as `90s`, or a number of seconds.

    Raises ValueError, saying what would be right, for any other text and for a window shorter than a
    second or longer than 366 days.
    """
    window_ns = _named_or_duration(window) if isinstance(window, str) else window * SECOND_NS
    if not SHORTEST_NS <= window_ns <= LONGEST_NS:
        raise ValueError("a window must be at least 1 second and at most 366 days")
    return round(window_ns)


def describe_window(window_ns: int) -> str:
    """The words that follow "10 calls": `a minute`, `an hour`, `in 90 seconds`."""
    for name, unit_ns in reversed(_NAMED.items()):
        if window_ns == unit_ns:
            return f"an {name}" if name == "hour" else f"a {name}"
        if window_ns % unit_ns == 0:
            return f"in {window_ns // unit_ns} {name}s"
    return f"in {window_ns / SECOND_NS:g} seconds"


def _named_or_duration(window: str) -> int:
    if window in _NAMED:
        return _NAMED[window]
    try:
        return duration_ns(window)
    except ValueError:
        raise ValueError(
            f"`{window[:40]}` is not a window; write `second`, `minute`, `hour` or `day`, "
            "a duration such as `90s`, `15m` or `1.5h`, or a number of seconds"
        ) from None
