"""Limits of a document: which counter each one spends on, and which of their fields do not go together."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, assert_never

import msgspec

from gateway import fastpath
from gateway.policy.model import LARGEST_SLIDING_WINDOW, Algorithm, Limit, RateLimit, Scope
from gateway.policy.paths import ArgumentPath, parse_path
from gateway.policy.windows import parse_window

_KINDS: Final[dict[Algorithm, int]] = {
    "sliding_window": fastpath.SLIDING_WINDOW,
    "fixed_window": fastpath.FIXED_WINDOW,
    "token_bucket": fastpath.TOKEN_BUCKET,
}
# The fields of a limit that its counter is made of.
_COUNTED: Final = {"counter", "window", "max", "scope", "algorithm", "burst"}


class Counter(msgspec.Struct, frozen=True):
    """A budget that one or more limits spend on. Two limits may share one only if theirs are equal."""

    name: str
    kind: int
    """One of the core's algorithms, such as `fastpath.SLIDING_WINDOW`."""
    window_ns: int
    maximum: int
    burst: int
    """Capacity of a token bucket; equal to `maximum` for the other kinds."""
    scope: Scope = "grant"
    is_weighted: bool = False
    """Whether calls may cost more or less than 1, so that `maximum` is no number of calls."""

    @property
    def capacity(self) -> int:
        """The most that can be spent at one moment."""
        return self.burst if self.kind == fastpath.TOKEN_BUCKET else self.maximum

    def scope_value(self, grant: str, session: str | None) -> str:
        """What is counted apart: the value of this counter's scope for a call of the grant (policy.md, "Limits")."""
        match self.scope:
            case "grant":
                return grant
            case "server":
                return ""
            case "session":
                return grant if session is None else f"{grant}\0{session}"
            case _:
                assert_never(self.scope)

    @property
    def rest_ns(self) -> int:
        """How long after the last call nothing of what was spent matters any more."""
        return self.window_ns * max(1, -(-self.capacity // self.maximum))


def is_weighted(limit: Limit) -> bool:
    """Whether a call may cost something else than 1 by this limit."""
    return limit.increment_from is not None or limit.increment not in (None, 1)


def counter_of(limit: Limit, *, is_weighted: bool = False) -> Counter:
    """The counter of a limit that has no `conflicts`; `is_weighted` if any limit on it is."""
    return Counter(
        name=limit.counter,
        kind=_KINDS[_algorithm(limit, is_weighted=is_weighted)],
        window_ns=parse_window(limit.window),
        maximum=limit.max,
        burst=limit.max if limit.burst is None else limit.burst,
        scope=limit.scope,
        is_weighted=is_weighted,
    )


def short_limit(tool: str, rate_limit: RateLimit) -> Limit:
    """What `rate_limit` of a tool stands for."""
    return Limit(rate_counter(tool), rate_limit.window, rate_limit.max, scope="session")


def rate_counter(tool: str) -> str:
    """The name of the counter that `rate_limit` of a tool spends on."""
    return f"{tool}_rate"


def cost_paths(limits: Iterable[Limit]) -> tuple[ArgumentPath, ...]:
    """The arguments that say what a call costs by any of these limits, which are on one counter."""
    return tuple(parse_path(limit.increment_from) for limit in limits if limit.increment_from is not None)


def least_cost(limits: Iterable[Limit]) -> int:
    """What a call costs by all of these limits, which are on one counter, whatever its arguments are."""
    return max((limit.increment or (1 if limit.increment_from is None else 0) for limit in limits), default=1)


def core_limit(counter: Counter, slot: int, limits: Iterable[Limit] = ()) -> fastpath.Limit:
    """The core's limit for a call that meets this counter by all of `limits`: it costs the largest of their costs.

    An `increment` beside `increment_from` is the least that a call costs. Raises ValueError where the core cannot
    count so far.
    """
    limits = tuple(limits)
    paths = tuple(path.steps for path in cost_paths(limits))
    cost = least_cost(limits)
    return fastpath.Limit(slot, counter.kind, counter.window_ns, counter.maximum, counter.burst, cost, paths)


def conflicts(fields: Mapping[str, Any], *, is_weighted: bool = False) -> Iterator[tuple[str, str]]:
    """What is wrong with a limit beyond the shape of its fields: the field, and what to do about it.

    `fields` are those whose shape is right, with the defaults of those left out; another is passed over.
    `is_weighted` if any limit on the counter is.
    """
    found = list(_conflicts(fields, is_weighted=is_weighted))
    yield from found
    if found or not fields.keys() >= _COUNTED:
        return
    counter = _counter(fields, is_weighted=is_weighted)
    try:
        core_limit(counter, slot=0)
    except ValueError as error:
        yield "burst", str(error)
        return
    if (fields.get("increment") or 0) > counter.capacity:
        yield "increment", f"no call could ever pass: it costs more than the {counter.capacity} that the counter holds"


def counter_from(fields: Mapping[str, Any], *, is_weighted: bool = False) -> Counter | None:
    """The counter of a limit that has these `fields`, as in `conflicts`; None while they do not make one."""
    if any(conflicts(fields, is_weighted=is_weighted)) or not fields.keys() >= _COUNTED:
        return None
    return _counter(fields, is_weighted=is_weighted)


def _conflicts(fields: Mapping[str, Any], *, is_weighted: bool) -> Iterator[tuple[str, str]]:
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
        case {"algorithm": "sliding_window"} if is_weighted:
            message = (
                "a sliding window counts calls, and a limit on this counter has `increment` or `increment_from`; "
                "leave `algorithm` out for a fixed window, or ask for a `token_bucket`"
            )
            yield "algorithm", message
    match fields:
        case {"algorithm": "sliding_window" | "fixed_window" | None, "burst": int()}:
            yield "burst", "only a token bucket has a burst; add `algorithm: token_bucket` or take it out"
    match fields:
        case {"increment_from": str(path)}:
            yield from _cost_path_faults(path)


def _cost_path_faults(text: str) -> Iterator[tuple[str, str]]:
    try:
        path = parse_path(text)
    except ValueError as error:
        yield "increment_from", str(error)
        return
    if path.has_each or path.of_length:
        yield "increment_from", "a cost is one argument, such as `args.amount`, without `[*]` and `length()`"


def _counter(fields: Mapping[str, Any], *, is_weighted: bool) -> Counter:
    return counter_of(Limit(**{name: fields[name] for name in _COUNTED}), is_weighted=is_weighted)


def _algorithm(limit: Limit, *, is_weighted: bool) -> Algorithm:
    """The algorithm asked for, or else the one that policy.md ("Limits") gives such a counter."""
    if limit.algorithm is not None:
        return limit.algorithm
    return "sliding_window" if limit.max <= LARGEST_SLIDING_WINDOW and not is_weighted else "fixed_window"
