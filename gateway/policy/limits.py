"""Limits of a document: which counter each one spends on, and which of their fields do not go together."""

from collections.abc import Iterator
from typing import Final

import msgspec

from gateway import fastpath
from gateway.policy.model import LARGEST_SLIDING_WINDOW, Algorithm, Limit
from gateway.policy.windows import parse_window

_KINDS: Final[dict[Algorithm, int]] = {
    "sliding_window": fastpath.SLIDING_WINDOW,
    "fixed_window": fastpath.FIXED_WINDOW,
    "token_bucket": fastpath.TOKEN_BUCKET,
}


class Counter(msgspec.Struct, frozen=True):
    """A budget that one or more limits spend on. Two limits may share one only if theirs are equal."""

    name: str
    kind: int
    """One of the core's algorithms, such as `fastpath.SLIDING_WINDOW`."""
    window_ns: int
    maximum: int
    burst: int
    """Capacity of a token bucket; equal to `maximum` for the other kinds."""


def counter_of(limit: Limit) -> Counter:
    """The counter of a limit that has no `conflicts`."""
    return Counter(
        name=limit.counter,
        kind=_KINDS[_algorithm(limit)],
        window_ns=parse_window(limit.window),
        maximum=limit.max,
        burst=limit.max if limit.burst is None else limit.burst,
    )


def core_limit(counter: Counter, slot: int) -> fastpath.Limit:
    """The core's limit for one call on this counter. Raises ValueError where the core cannot count so far."""
    return fastpath.Limit(slot, counter.kind, counter.window_ns, counter.maximum, counter.burst, 1)


def conflicts(limit: Limit) -> Iterator[tuple[str, str]]:
    """What is wrong with a limit beyond the shape of its fields: the field, and what to do about it."""
    sound = True
    try:
        parse_window(limit.window)
    except ValueError as error:
        sound = False
        yield "window", str(error)
    if limit.algorithm == "sliding_window" and limit.max > LARGEST_SLIDING_WINDOW:
        message = (
            f"a sliding window counts at most {LARGEST_SLIDING_WINDOW} calls; "
            "leave `algorithm` out for a fixed window, or ask for a `token_bucket`"
        )
        yield "algorithm", message
    if limit.burst is not None and limit.algorithm != "token_bucket":
        sound = False
        yield "burst", "only a token bucket has a burst; add `algorithm: token_bucket` or take it out"
    if sound:
        try:
            core_limit(counter_of(limit), slot=0)
        except ValueError as error:
            yield "burst", str(error)


def _algorithm(limit: Limit) -> Algorithm:
    """The algorithm asked for, or else the one that policy.md ("Limits") gives a limit of this size."""
    if limit.algorithm is not None:
        return limit.algorithm
    return "sliding_window" if limit.max <= LARGEST_SLIDING_WINDOW else "fixed_window"
