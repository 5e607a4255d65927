"""The core in plain Python: the specification of `_fastpath.pyx`, which must do the same, word for word.

Judges a call's arguments, spends on its limits and gives a spend back. It holds no state of its own, reads
no clock and does no I/O: limits live in words that the caller supplies. It is for one process; the compiled
twin is for several at once. Called through `gateway.fastpath`.

In this order: where limits live; limits; decisions.
"""

import ctypes
from array import array
from typing import Any

from gateway._matching_py import Rule, Step, check_path, find

SLIDING_WINDOW, FIXED_WINDOW, TOKEN_BUCKET = range(3)
ALLOW, REQUIRE, DENY_IF, INVALID, APPROVE_IF, BAD_COST, NEVER_FITS, UNBOUND, THROTTLE = range(9)

Spend = tuple[int, int, int, int]
Receipt = tuple[Spend, ...]

# The bounds that keep every sum and product of the compiled twin inside 63 bits:
#   |now| <= 2^62, 0 <= wall <= 2^62, window <= 366 days < 2^55, burst * interval <= 2^61;
#   a word (a damaged file may hold any) is cut to 2^62 ahead of now before anything is added to it;
#   a cost is compared with the capacity before it is multiplied;
#   a fixed window's number is below 2^62 / 10^9 < 2^33 and its count below 2^30: 63 bits together.
_MAX_TIME_NS = 1 << 62
_MAX_CAPACITY_NS = 1 << 61
_MIN_WINDOW_NS = 1_000_000_000
_MAX_WINDOW_NS = 366 * 86_400 * 1_000_000_000
_MAX_MAXIMUM = 1_000_000_000
_MAX_WORD = (1 << 63) - 1
_COUNT_BITS = 30
_COUNT_MASK = (1 << _COUNT_BITS) - 1

# Where things are in a block, after its tag: the one word of a fixed window or a token bucket; the cursor
# and the ring of a sliding window.
_WORD = _CURSOR = 1
_RING = 2


class Words:
    """A writable buffer seen as 64-bit words. Once released it has no words."""

    def __init__(self, buffer: Any) -> None:
        """Raises ValueError for a buffer that is read-only, misaligned or not a whole number of words."""
        view = memoryview(buffer)
        if view.readonly or not view.c_contiguous:
            raise ValueError("words need a writable, contiguous buffer")
        if view.nbytes % 8 or ctypes.addressof((ctypes.c_char * 0).from_buffer(view)) % 8:
            raise ValueError("words need a buffer that starts and ends at a multiple of 8 bytes")
        self._view = view.cast("B").cast("q")

    def __len__(self) -> int:
        return len(self._view)

    def __getitem__(self, index: int) -> int:
        return self._view[self._checked(index)]

    def __setitem__(self, index: int, value: int) -> None:
        self._view[self._checked(index)] = value

    def _checked(self, index: int) -> int:
        if not 0 <= index < len(self._view):
            raise IndexError(f"there is no word {index}: there are {len(self._view)}")
        return index

    def release(self) -> None:
        """Let go of the buffer, so that its owner can close or resize it."""
        self._view = memoryview(bytearray()).cast("q")


class Slots:
    """Where the limits of some programs have their blocks: slot -> (offset, tag)."""

    def __init__(self, count: int) -> None:
        """`count` slots, none of them bound. Raises ValueError if negative."""
        self._offsets = array("q", bytes(8 * _checked("count", count, 0, _MAX_WORD)))
        self._tags = array("q", self._offsets)

    def __len__(self) -> int:
        return len(self._offsets)

    def bind(self, slot: int, offset: int, tag: int) -> None:
        """Say that the slot's block starts at word `offset` and carries `tag`. Offset 0 unbinds the slot.

        `decide` looks at the block, not this. Raises IndexError for the slot, ValueError for the others.
        """
        if not 0 <= slot < len(self._offsets):
            raise IndexError(f"there is no slot {slot}: there are {len(self._offsets)}")
        if offset < 0 or (offset and not tag):
            raise ValueError(f"a block needs a positive offset and a tag, not {offset} and {tag}")
        self._offsets[slot] = offset
        self._tags[slot] = tag

    def _block(self, limit: "Limit", words: Words) -> int:
        """The offset of the limit's block, or 0 unless it lies inside `words` and carries the slot's tag."""
        slot = limit._slot
        offset = self._offsets[slot] if slot < len(self._offsets) else 0
        lies_inside = 0 < offset <= len(words) - limit._length
        return offset if lies_inside and words[offset] == self._tags[slot] else 0


def block_length(kind: int, maximum: int) -> int:
    """How many words a block of a limit takes, its tag included. Raises ValueError for an unknown kind."""
    if kind == SLIDING_WINDOW:
        return _RING + maximum
    if kind in (FIXED_WINDOW, TOKEN_BUCKET):
        return _WORD + 1
    raise ValueError(f"there is no kind of limit {kind}")


def _checked(name: str, value: int, low: int, high: int) -> int:
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low}..{high}, not {value}")
    return value


def _check_times(now_ns: int, wall_ns: int) -> None:
    _checked("now_ns", now_ns, -_MAX_TIME_NS, _MAX_TIME_NS)
    _checked("wall_ns", wall_ns, 0, _MAX_TIME_NS)


# What one limit makes of a call: the time to wait or, if that is 0, the new word and its receipt.
_Move = tuple[int, int, Spend]
_NOTHING = (0, 0, 0, 0)


class Limit:
    """A limit, and what one call costs on it (policy.md, "Limits")."""

    def __init__(
        self,
        slot: int,
        kind: int,
        window_ns: int,
        maximum: int,
        burst: int,
        cost: int,
        cost_paths: tuple[tuple[Step, ...], ...] = (),
    ) -> None:
        """A call costs the largest of `cost` and the arguments at `cost_paths`, which have no EACH.

        A sliding window has cost 1 and no paths; `burst` matters to a token bucket alone. Raises ValueError for a
        window that is not 1 second to 366 days, a maximum that is not 1 to 10^9, a burst below 1 or that takes
        more than 2^61 ns to refill, a cost below 0 or, without paths, below 1.
        """
        self._kind = kind
        self._slot = _checked("slot", slot, 0, _MAX_WORD)
        self._window_ns = _checked("window_ns", window_ns, _MIN_WINDOW_NS, _MAX_WINDOW_NS)
        self._maximum = _checked("maximum", maximum, 1, _MAX_MAXIMUM)
        self._length = block_length(kind, maximum)
        self._cost = _checked("cost", cost, 0 if cost_paths else 1, 1 if kind == SLIDING_WINDOW else _MAX_WORD)
        if cost_paths and kind == SLIDING_WINDOW:
            raise ValueError("a sliding window counts calls, so it takes no cost_paths")
        for path in cost_paths:
            check_path(path, 0)
        self._cost_paths = cost_paths
        # Rounded up, so that a bucket never regains more than `maximum` in a window.
        self._interval_ns = -(-window_ns // maximum)
        self._largest_cost = maximum
        if kind == TOKEN_BUCKET:
            self._largest_cost = _checked("burst", burst, 1, _MAX_CAPACITY_NS // self._interval_ns)
        self._capacity_ns = self._largest_cost * self._interval_ns

    def _price(self, arguments: object) -> int:
        """What a call with these arguments costs; `-1 - n` if the argument at path n is no amount."""
        cost = self._cost
        for place, path in enumerate(self._cost_paths):
            amount = find(arguments, path)
            if type(amount) is float and amount.is_integer():
                amount = int(amount)
            if type(amount) is not int or amount < 0:
                return -1 - place
            cost = max(cost, min(amount, _MAX_WORD))
        return cost

    def _plan(self, block: int, cost: int, words: Words, now_ns: int, wall_ns: int) -> _Move:
        """What a call of this cost would do to the limit as it stands. Changes nothing."""
        if self._kind == SLIDING_WINDOW:
            return self._plan_sliding(block, words, now_ns)
        if self._kind == FIXED_WINDOW:
            return self._plan_fixed(block + _WORD, cost, words, wall_ns)
        return self._plan_bucket(block + _WORD, cost, words, now_ns)

    def _plan_sliding(self, block: int, words: Words, now_ns: int) -> _Move:
        """Take a word whose time is a window old. There are `maximum` words: no window holds more calls."""
        cursor = words[block + _CURSOR]
        oldest = _MAX_WORD
        for step in range(self._maximum):
            position = block + _RING + (cursor + step) % self._maximum
            if self._is_takeable(words[position], now_ns):
                # 0 means free, so it is never stored.
                stamp = now_ns or 1
                return 0, stamp, (SLIDING_WINDOW, position, stamp, block)
            oldest = min(oldest, words[position])
        return _ahead(oldest, now_ns) + self._window_ns, 0, _NOTHING

    def _is_takeable(self, word: int, now_ns: int) -> bool:
        return word == 0 or word <= now_ns - self._window_ns

    def _plan_fixed(self, position: int, cost: int, words: Words, wall_ns: int) -> _Move:
        """Count in the window of the calendar, or in a later one that the wall clock has been in."""
        window, count = self._fixed_window(words[position], wall_ns)
        if count + cost > self._maximum:
            end_ns = min(window + 1, _MAX_WORD // self._window_ns) * self._window_ns
            return end_ns - wall_ns, 0, _NOTHING
        word = window << _COUNT_BITS | (count + cost)
        return 0, word, (FIXED_WINDOW, position, window, cost)

    def _fixed_window(self, word: int, wall_ns: int) -> tuple[int, int]:
        """The number of the window in force and the count in it."""
        stored, current = word >> _COUNT_BITS, wall_ns // self._window_ns
        return (current, 0) if stored < current else (stored, word & _COUNT_MASK)

    def _plan_bucket(self, position: int, cost: int, words: Words, now_ns: int) -> _Move:
        """GCRA: the word is the time at which the bucket will be full if nothing more is spent."""
        debt_ns = max(0, _ahead(words[position], now_ns))
        need_ns = cost * self._interval_ns
        if debt_ns + need_ns > self._capacity_ns:
            return debt_ns + need_ns - self._capacity_ns, 0, _NOTHING
        return 0, now_ns + debt_ns + need_ns, (TOKEN_BUCKET, position, now_ns, need_ns)

    def _commit(self, move: _Move, words: Words) -> Spend:
        """Change the word. The compiled twin swaps it and, if another process was faster, starts over."""
        _, replacement, spend = move
        _, position, _, block = spend
        words[position] = replacement
        if self._kind == SLIDING_WINDOW:
            # Only a hint where the oldest word is: a crash may leave anything here.
            words[block + _CURSOR] = (position - block - _RING + 1) % self._maximum
        return spend


def _ahead(time_ns: int, now_ns: int) -> int:
    return min(time_ns - now_ns, _MAX_TIME_NS)


def remaining(limit: Limit, words: Words, slots: Slots, now_ns: int, wall_ns: int) -> int:
    """How many calls of this limit's own `cost` (of 1 where that is 0) would pass now.

    A limit without a block is untouched: full.
    """
    _check_times(now_ns, wall_ns)
    cost = max(1, limit._cost)
    if cost > limit._largest_cost:
        return 0
    block = slots._block(limit, words)
    if not block:
        return limit._largest_cost // cost
    if limit._kind == SLIDING_WINDOW:
        ring = range(block + _RING, block + limit._length)
        return sum(limit._is_takeable(words[position], now_ns) for position in ring)
    if limit._kind == FIXED_WINDOW:
        _, count = limit._fixed_window(words[block + _WORD], wall_ns)
        return max(0, limit._maximum - count) // cost
    debt_ns = max(0, _ahead(words[block + _WORD], now_ns))
    return max(0, limit._capacity_ns - debt_ns) // (cost * limit._interval_ns)


def rollback(words: Words, receipt: Receipt, now_ns: int) -> None:
    """Give back what `decide` spent for a call that cannot have run, in the window it was spent in."""
    _check_times(now_ns, 0)
    for kind, position, stamp, amount in receipt:
        word = words[position]
        if kind == SLIDING_WINDOW:
            if word == stamp:
                words[position] = 0
                words[amount + _CURSOR] = position - amount - _RING
        elif kind == FIXED_WINDOW:
            if word >> _COUNT_BITS == stamp:
                words[position] = word - min(amount, word & _COUNT_MASK)
        elif word > now_ns:
            # What has drained since the spend is gone. Every spend counts as draining from its own time on
            # while the bucket really drains them one after the other, so this never gives back too much;
            # giving all of it back would let a late rollback admit more than burst + maximum in a window.
            words[position] = word - max(0, amount - max(0, now_ns - stamp))


class Program:
    """All that one kind of call is judged by."""

    def __init__(
        self,
        require: tuple[Rule, ...],
        deny_if: tuple[Rule, ...],
        checks: tuple[Any, ...],
        approve_if: tuple[Rule, ...],
        limits: tuple[Limit, ...],
    ) -> None:
        """`checks` have `is_valid(arguments)`. Raises ValueError if two limits share a slot: a call spends once
        on a counter.
        """
        if len({limit._slot for limit in limits}) != len(limits):
            raise ValueError("two limits of a program share a slot: merge them, keeping the larger cost")
        self._require = require
        self._deny_if = deny_if
        self._checks = checks
        self._approve_if = approve_if
        self._limits = limits

    def _judge(self, arguments: object, is_approved: bool) -> tuple[int, int, int]:
        """The code, rule and condition of the first rule that refuses; ALLOW if none does."""
        for index, rule in enumerate(self._require):
            place = rule._first_unmet(arguments)
            if place >= 0:
                return REQUIRE, index, place
        for index, rule in enumerate(self._deny_if):
            fires, mistyped = rule._fires(arguments)
            if fires:
                return DENY_IF, index, mistyped
        for index, check in enumerate(self._checks):
            if not check.is_valid(arguments):
                return INVALID, index, 0
        for index, rule in enumerate(() if is_approved else self._approve_if):
            fires, mistyped = rule._fires(arguments)
            if fires:
                return APPROVE_IF, index, mistyped
        return ALLOW, -1, 0

    def _spend(
        self, arguments: object, words: Words, slots: Slots, now_ns: int, wall_ns: int
    ) -> tuple[int, int, int, Receipt | None]:
        """Spend on every limit or on none: all are looked at before the first word is changed."""
        limits = self._limits
        costs = [limit._price(arguments) for limit in limits]
        for index, cost in enumerate(costs):
            if cost < 0:
                return BAD_COST, index, -1 - cost, None
            if cost > limits[index]._largest_cost:
                return NEVER_FITS, index, 0, None
        # A call that costs nothing does not touch the limit, not even one that is spent.
        charged = [index for index, cost in enumerate(costs) if cost]
        blocks = {index: slots._block(limits[index], words) for index in charged}
        for index, block in blocks.items():
            if not block:
                return UNBOUND, index, 0, None
        moves = {i: limits[i]._plan(blocks[i], costs[i], words, now_ns, wall_ns) for i in charged}
        for index, (wait_ns, _, _) in moves.items():
            if wait_ns:
                return THROTTLE, index, max(wait_ns for wait_ns, _, _ in moves.values()), None
        return ALLOW, -1, 0, tuple(limits[index]._commit(move, words) for index, move in moves.items())


def decide(
    program: Program,
    arguments: object,
    words: Words,
    slots: Slots,
    now_ns: int,
    wall_ns: int,
    is_approved: bool = False,
    is_free: bool = False,
) -> tuple[int, int, int, Receipt | None]:
    """Judge one call: `require`, `deny_if`, checks, `approve_if`, limits (policy.md, "Order of evaluation").

    An approved call skips `approve_if`, a free one the limits. Returns (code, index, detail, receipt):

    * ALLOW: -1, 0 and what was spent, for `rollback`
    * REQUIRE, DENY_IF, APPROVE_IF: the rule that refuses or asks and, as detail, the condition it does so by: the
      first that does not hold, or the first that is mistyped (-1 if the rule fires because all hold)
    * INVALID: the check that the arguments fail
    * BAD_COST: a limit and, as detail, which of its `cost_paths` leads to no whole number from 0 on
    * NEVER_FITS: a limit that is smaller than the cost
    * UNBOUND: a limit whose slot has no block, or whose block is another's by now
    * THROTTLE: the first limit that refuses, and the longest wait in ns over all that do

    A refusal changes no word. Raises ValueError for a time beyond 2^62 ns or a negative `wall_ns`.
    """
    _check_times(now_ns, wall_ns)
    code, index, detail = program._judge(arguments, is_approved)
    if code != ALLOW or is_free:
        return code, index, detail, () if code == ALLOW else None
    return program._spend(arguments, words, slots, now_ns, wall_ns)
