"""Limits of a document: which counter each one spends on, and which of their fields do not go together."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from gateway import fastpath
from gateway.policy.model import LARGEST_SLIDING_WINDOW, Algorithm, Limit
from gateway.policy.windows import parse_window

_KINDS: Final[dict[Algorithm, int]] = {
    "sliding_window": fastpath.SLIDING_WINDOW,
    "fixed_window": fastpath.FIXED_WINDOW,
    "token_bucket": fastpath.TOKEN_BUCKET,
}
# The fields of a limit that its counter is made of.
_COUNTED: Final = {"counter", "window", "max", "algorithm", "burst"}


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


def conflicts(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with a limit beyond the shape of its fields: the field, and what to do about it.

    `fields` are those whose shape is right, with the defaults of those left out; another is passed over.
    """
    found = list(_conflicts(fields))
    yield from found
    if found or not fields.keys() >= _COUNTED:
        return
    try:
        core_limit(_counter(fields), slot=0)
    except ValueError as error:
        yield "burst", str(error)


def counter_from(fields: Mapping[str, Any]) -> Counter | None:
    """The counter of a limit that has these `fields`, as in `conflicts`; None while they do not make one."""
    if any(conflicts(fields)) or not fields.keys() >= _COUNTED:
        return None
    return _counter(fields)


def _conflicts(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    match fields:
        case {"window": window}:
            try:
                parse_window(window)
            except ValueError as error:
                yield "window", str(error)
    match fields:
        case {"algorithm": "sliding_window", "max": maximum} if maximum > LARGEST_SLIDING_WINDOW:
            message = (
                f"a sliding window counts at most {LARGEST_SLIDING_WINDOW} calls; "
                "leave `algorithm` out for a fixed window, or ask for a `token_bucket`"
            )
            yield "algorithm", message
    match fields:
        case {"algorithm": "sliding_window" | "fixed_window" | None, "burst": int()}:
            yield "burst", "only a token bucket has a burst; add `algorithm: token_bucket` or take it out"


def _counter(fields: Mapping[str, Any]) -> Counter:
    return counter_of(Limit(**{name: fields[name] for name in _COUNTED}))


def _algorithm(limit: Limit) -> Algorithm:
    """The algorithm asked for, or else the one that policy.md ("Limits") gives a limit of this size."""
    if limit.algorithm is not None:
        return limit.algorithm
    return "sliding_window" if limit.max <= LARGEST_SLIDING_WINDOW else "fixed_window"
