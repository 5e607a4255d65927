"""The promise of each algorithm, and the most that happened in any window: what policy.md says, in numbers.

`verdict` and `accuracy` compare with it; nothing here looks at how the gateway counts.
"""

from collections.abc import Mapping, Sequence
from typing import Any


def most_promised(limit: Mapping[str, Any]) -> int:
    """The most calls in any span of one window, for a limit as policies write it (docs/policy.md)."""
    most: int = limit["max"]
    match limit.get("algorithm", "sliding_window"):
        case "sliding_window":
            return most
        case "fixed_window":
            # One calendar window's calls at its end, and the next one's at once.
            return 2 * most
        case "token_bucket":
            burst: int = limit.get("burst", most)
            return burst + most
        case unknown:
            raise ValueError(f"nothing is promised for {unknown}")


def most_within(times_ns: Sequence[int], span_ns: int) -> int:
    """The most of these times, which are in order, that lie in one span, its end not included."""
    most = first = 0
    for last, time_ns in enumerate(times_ns):
        while time_ns - times_ns[first] >= span_ns:
            first += 1
        most = max(most, last - first + 1)
    return most
