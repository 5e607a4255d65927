"""What the words of a bucket mean when no call is being decided: still needed, after a reboot, after an edit.

Pure functions over a bucket's body, the words that follow its tag. Spending is the core's alone; the callers,
`counters` and `counter_table`, place and store blocks. The one rule: who calls may wait longer than the
truth, never less (architecture.md, section 6).
"""

from collections.abc import Sequence

import msgspec

from gateway import fastpath

# As the core packs them: a window's number may take 33 bits, a count is at most 10^9.
_COUNT_BITS = 30
_COUNT_MASK = (1 << _COUNT_BITS) - 1


class CounterSpec(msgspec.Struct, frozen=True):
    """How a counter limits: what must be equal for two limits to share one bucket as it stands."""

    kind: int
    """`fastpath.SLIDING_WINDOW`, `FIXED_WINDOW` or `TOKEN_BUCKET`."""
    window_ns: int
    maximum: int
    burst: int
    """Capacity of a token bucket; the other algorithms ignore it."""

    def __post_init__(self) -> None:
        """Raise ValueError for numbers of which the core could not make a limit, whoever wrote them."""
        fastpath.Limit(0, self.kind, self.window_ns, self.maximum, self.burst, 1)

    @property
    def interval_ns(self) -> int:
        """How long a token bucket takes to win back one token, rounded up as the core does."""
        return -(-self.window_ns // self.maximum)

    @property
    def capacity_ns(self) -> int:
        """The most a token bucket can be behind: `burst` tokens, in time."""
        return self.burst * self.interval_ns


def is_live(spec: CounterSpec, body: Sequence[int], now_ns: int, wall_ns: int) -> bool:
    """Whether the bucket still holds information, so that dropping it would refill somebody's budget."""
    match spec.kind:
        case fastpath.SLIDING_WINDOW:
            return _count_younger(body, spec.window_ns, now_ns) > 0
        case fastpath.FIXED_WINDOW:
            # A number of zero calls may be of a window yet to come, after a step of the wall clock: it
            # keeps older windows shut, so it counts as information.
            return body[0] >> _COUNT_BITS >= wall_ns // spec.window_ns
        case fastpath.TOKEN_BUCKET:
            return body[0] > now_ns
        case unknown:
            raise ValueError(f"no algorithm has the number {unknown}")


def restamp(spec: CounterSpec, body: Sequence[int], touched_ns: int, now_ns: int) -> list[int]:
    """The body as it must read after a reboot: ages as they were at the last touch, on the new clock.

    `touched_ns` is the old boot's monotonic time of the last touch, `now_ns` the new boot's. A call
    admitted after the last touch counts as made now. Fixed windows use wall time and stay as they are.
    """
    match spec.kind:
        case fastpath.SLIDING_WINDOW:
            ages = [max(0, touched_ns - word) if word else spec.window_ns for word in body[1:]]
            # Zero means free, so a live word that would land on it is made a nanosecond younger.
            return [body[0], *((now_ns - age) or 1 if age < spec.window_ns else 0 for age in ages)]
        case fastpath.FIXED_WINDOW:
            return list(body)
        case fastpath.TOKEN_BUCKET:
            return [_arrival(spec, body[0] - touched_ns, now_ns)]
        case unknown:
            raise ValueError(f"no algorithm has the number {unknown}")


def carry(old: CounterSpec, body: Sequence[int], new: CounterSpec, now_ns: int, wall_ns: int) -> list[int]:
    """The body of a bucket whose counter was edited from `old` to `new` (policy.md, "Limits").

    A changed `max` keeps the calls made, newest first, those of a sliding window that are too many for the core
    in words of their own; a changed window keeps their times; a changed algorithm charges what was spent in the last
    window (the longer of the two) as of now, as far as the new one can hold it. Only what the old words still know can
    be carried: a token bucket knows what it has not won back yet, a fixed window how many calls it saw but not when,
    so all of them count if any may be in the new window. A token bucket of another rate is empty at most: debts in
    tokens of a fast one would take a slow one months to win back.
    """
    if old.kind != new.kind:
        span_ns = max(old.window_ns, new.window_ns)
        return _charge(new, _spent(old, body, span_ns, now_ns, wall_ns), now_ns, wall_ns)
    match new.kind:
        case fastpath.SLIDING_WINDOW:
            times = sorted(word for word in body[1:] if word)
            # What finds no place in the ring stands behind it, so that a `max` that is raised again gives nothing back.
            rest = [time for time in times[: -new.maximum] if now_ns - time < new.window_ns]
            return [*_ring(new, times), *rest]
        case fastpath.FIXED_WINDOW:
            return [_refile(old, body[0], new, wall_ns)]
        case fastpath.TOKEN_BUCKET:
            behind_ns = max(0, body[0] - now_ns)
            if new.interval_ns == old.interval_ns:
                # Kept whole where only the burst has changed, so that lowering it for a moment gives nothing back.
                return [body[0] if behind_ns else 0]
            return [_arrival(new, -(-behind_ns * new.interval_ns // old.interval_ns), now_ns)]
        case unknown:
            raise ValueError(f"no algorithm has the number {unknown}")


def _spent(spec: CounterSpec, body: Sequence[int], span_ns: int, now_ns: int, wall_ns: int) -> int:
    """What the bucket knows to have been spent, or cannot rule out, within the last `span_ns`."""
    match spec.kind:
        case fastpath.SLIDING_WINDOW:
            return _count_younger(body, span_ns, now_ns)
        case fastpath.FIXED_WINDOW:
            number, count = _unpack(body[0])
            return count if (number + 1) * spec.window_ns > wall_ns - span_ns else 0
        case fastpath.TOKEN_BUCKET:
            return -(-max(0, body[0] - now_ns) // spec.interval_ns)
        case unknown:
            raise ValueError(f"no algorithm has the number {unknown}")


def _charge(spec: CounterSpec, spent: int, now_ns: int, wall_ns: int) -> list[int]:
    """The body of a bucket on which `spent` was spent at this moment."""
    match spec.kind:
        case fastpath.SLIDING_WINDOW:
            return _ring(spec, [now_ns or 1] * min(spent, spec.maximum))
        case fastpath.FIXED_WINDOW:
            return [_pack(wall_ns // spec.window_ns, spent)]
        case fastpath.TOKEN_BUCKET:
            return [_arrival(spec, spent * spec.interval_ns, now_ns)]
        case unknown:
            raise ValueError(f"no algorithm has the number {unknown}")


def _count_younger(body: Sequence[int], span_ns: int, now_ns: int) -> int:
    return sum(1 for word in body[1:] if word and now_ns - word < span_ns)


def _ring(spec: CounterSpec, times: list[int]) -> list[int]:
    """A ring of the newest of `times` (ascending), with the hint on a free word or else the oldest."""
    newest = times[-spec.maximum :]
    return [len(newest) % spec.maximum, *newest, *[0] * (spec.maximum - len(newest))]


def _refile(old: CounterSpec, word: int, new: CounterSpec, wall_ns: int) -> int:
    """A fixed window's count, put where windows are of another length.

    The old window may lie ahead of the clock after a step of it; then the count stays ahead too, for a
    step must never open an older window again.
    """
    number, count = _unpack(word)
    target = max(wall_ns // new.window_ns, number * old.window_ns // new.window_ns)
    overlaps = (number + 1) * old.window_ns > target * new.window_ns
    return _pack(target, count if overlaps else 0)


def _arrival(spec: CounterSpec, behind_ns: int, now_ns: int) -> int:
    """The arrival time of a token bucket that is `behind_ns` behind, at most its capacity; 0 when full."""
    return now_ns + min(behind_ns, spec.capacity_ns) if behind_ns > 0 else 0


def _unpack(word: int) -> tuple[int, int]:
    return word >> _COUNT_BITS, word & _COUNT_MASK


def _pack(number: int, count: int) -> int:
    return number << _COUNT_BITS | min(count, _COUNT_MASK)
