# cython: cdivision=True
# Every divisor is positive, and the one dividend that may be negative (the cursor) is put right by hand.
"""The compiled core. `_fastpath_py.py` is its specification and explains every rule: change that one first.

What differs is only what speed and several processes on one file of words ask for: every change of a limit
is a 64-bit compare-and-swap, and a spend that loses a race gives back what it has spent and starts over.
Of ours it takes the compiled matching alone. Called through `gateway.fastpath`.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from libc.stdint cimport INT64_MAX, int64_t, uint64_t

from gateway._matching cimport Rule, all_of, check_path, find

cdef extern from *:
    """
    static inline int64_t load_word(const int64_t *word) {
        return __atomic_load_n(word, __ATOMIC_ACQUIRE);
    }
    static inline void store_word(int64_t *word, int64_t value) {
        __atomic_store_n(word, value, __ATOMIC_RELEASE);
    }
    static inline int swap_word(int64_t *word, int64_t expected, int64_t replacement) {
        return __atomic_compare_exchange_n(
            word, &expected, replacement, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    """
    int64_t load_word(const int64_t *word) noexcept nogil
    void store_word(int64_t *word, int64_t value) noexcept nogil
    bint swap_word(int64_t *word, int64_t expected, int64_t replacement) noexcept nogil

cdef extern from "Python.h":
    int64_t PyLong_AsLongLongAndOverflow(object number, int *overflow) except? -1

cpdef enum: SLIDING_WINDOW, FIXED_WINDOW, TOKEN_BUCKET
cpdef enum: ALLOW, REQUIRE, DENY_IF, INVALID, APPROVE_IF, BAD_COST, NEVER_FITS, UNBOUND, THROTTLE

Spend = tuple[int, int, int, int]
Receipt = tuple[Spend, ...]

# These bounds keep every sum and product below inside 63 bits; the specification shows how.
cdef int64_t MAX_TIME_NS = <int64_t>1 << 62
cdef int64_t MAX_CAPACITY_NS = <int64_t>1 << 61
cdef int64_t MIN_WINDOW_NS = 1_000_000_000
cdef int64_t MAX_WINDOW_NS = <int64_t>366 * 86_400 * 1_000_000_000
cdef int64_t MAX_MAXIMUM = 1_000_000_000

cdef enum:
    COUNT_BITS = 30
    COUNT_MASK = (1 << 30) - 1
    # The layout of a block.
    WORD = 1, CURSOR = 1, RING = 2
    # A swap is lost only to another process that has just won it, so this many losses in a row do not
    # happen; if they do, the call is told to wait for 1 ns.
    MAX_LOSSES = 1000


@cython.final
cdef class Words:
    """A writable buffer seen as 64-bit words. Once released it has no words."""

    cdef Py_buffer buffer
    cdef int64_t *words
    cdef int64_t count

    def __cinit__(self, buffer):
        try:
            PyObject_GetBuffer(buffer, &self.buffer, PyBUF_WRITABLE)
        except BufferError:
            raise ValueError("words need a writable, contiguous buffer") from None
        self.words = <int64_t *>self.buffer.buf
        if self.buffer.len % 8 or <uint64_t>self.buffer.buf % 8:
            raise ValueError("words need a buffer that starts and ends at a multiple of 8 bytes")
        self.count = self.buffer.len // 8

    def __dealloc__(self):
        PyBuffer_Release(&self.buffer)

    def __len__(self):
        return self.count

    def __getitem__(self, int64_t index):
        self.check(index)
        return load_word(self.words + index)

    def __setitem__(self, int64_t index, int64_t value):
        self.check(index)
        store_word(self.words + index, value)

    cdef int check(self, int64_t index) except -1:
        if not 0 <= index < self.count:
            raise IndexError(f"there is no word {index}: there are {self.count}")
        return 0

    def release(self):
        """Let go of the buffer, so that its owner can close or resize it."""
        self.count = 0
        PyBuffer_Release(&self.buffer)


cdef struct Binding:
    int64_t offset, tag


@cython.final
cdef class Slots:
    """Where the limits of some programs have their blocks: slot -> (offset, tag)."""

    cdef Binding *bindings
    cdef int64_t count

    def __cinit__(self, count):
        self.count = checked("count", count, 0, INT64_MAX)
        self.bindings = <Binding *>PyMem_Calloc(self.count, sizeof(Binding))
        if self.bindings == NULL:
            raise MemoryError(f"no memory for {count} slots")

    def __dealloc__(self):
        PyMem_Free(self.bindings)

    def __len__(self):
        return self.count

    def bind(self, int64_t slot, int64_t offset, int64_t tag):
        """Say that the slot's block starts at word `offset` and carries `tag`. Offset 0 unbinds the slot."""
        if not 0 <= slot < self.count:
            raise IndexError(f"there is no slot {slot}: there are {self.count}")
        if offset < 0 or (offset and not tag):
            raise ValueError(f"a block needs a positive offset and a tag, not {offset} and {tag}")
        self.bindings[slot] = Binding(offset, tag)

    cdef int64_t block(self, Limit limit, Words words) noexcept:
        """The one place that checks bounds: the offset of a block that lies inside `words`, or 0."""
        if limit.slot >= self.count:
            return 0
        cdef Binding binding = self.bindings[limit.slot]
        if not 0 < binding.offset <= words.count - limit.length:
            return 0
        return binding.offset if load_word(words.words + binding.offset) == binding.tag else 0


def block_length(kind, maximum):
    """How many words a block of a limit takes, its tag included. Raises ValueError for an unknown kind."""
    if kind == SLIDING_WINDOW:
        return RING + maximum
    if kind == FIXED_WINDOW or kind == TOKEN_BUCKET:
        return WORD + 1
    raise ValueError(f"there is no kind of limit {kind}")


cdef int64_t checked(str name, object value, int64_t low, int64_t high) except? -1:
    if not low <= value <= high:
        raise ValueError(f"{name} must be {low}..{high}, not {value}")
    return value


cdef struct Move:
    int64_t cost, block, position
    int64_t expected, replacement
    int64_t stamp, amount


@cython.final
cdef class Limit:
    """A limit, and what one call costs on it (policy.md, "Limits")."""

    cdef int kind
    cdef int64_t slot, window_ns, maximum, length, cost, interval_ns, largest_cost, capacity_ns
    cdef tuple cost_paths

    def __cinit__(self, slot, kind, window_ns, maximum, burst, cost, tuple cost_paths not None=()):
        self.slot = checked("slot", slot, 0, INT64_MAX)
        self.window_ns = checked("window_ns", window_ns, MIN_WINDOW_NS, MAX_WINDOW_NS)
        self.maximum = checked("maximum", maximum, 1, MAX_MAXIMUM)
        self.length = block_length(kind, maximum)
        self.kind = kind
        self.cost = checked("cost", cost, 0 if cost_paths else 1, 1 if kind == SLIDING_WINDOW else INT64_MAX)
        if cost_paths and kind == SLIDING_WINDOW:
            raise ValueError("a sliding window counts calls, so it takes no cost_paths")
        for path in cost_paths:
            check_path(path, 0)
        self.cost_paths = cost_paths
        self.interval_ns = (self.window_ns + self.maximum - 1) // self.maximum
        self.largest_cost = self.maximum
        if kind == TOKEN_BUCKET:
            self.largest_cost = checked("burst", burst, 1, MAX_CAPACITY_NS // self.interval_ns)
        self.capacity_ns = self.largest_cost * self.interval_ns

    cdef int64_t price(self, object arguments) except? -1:
        """What a call with these arguments costs; `-1 - n` if the argument at path n is no amount."""
        cdef int64_t amount, cost = self.cost
        cdef Py_ssize_t place
        for place in range(len(self.cost_paths)):
            amount = amount_of(find(arguments, self.cost_paths[place]))
            if amount < 0:
                return -1 - place
            cost = max(cost, amount)
        return cost

    cdef int64_t plan(self, int64_t *words, int64_t now_ns, int64_t wall_ns, Move *move) noexcept:
        """The time to wait or, if that is 0, the move to make in `move.block`."""
        if self.kind == SLIDING_WINDOW:
            return self.plan_sliding(words, now_ns, move)
        move.position = move.block + WORD
        move.expected = load_word(words + move.position)
        if self.kind == FIXED_WINDOW:
            return self.plan_fixed(wall_ns, move)
        return self.plan_bucket(now_ns, move)

    cdef int64_t plan_sliding(self, int64_t *words, int64_t now_ns, Move *move) noexcept:
        cdef int64_t ring = move.block + RING
        cdef int64_t start = load_word(words + move.block + CURSOR) % self.maximum
        cdef int64_t oldest = INT64_MAX
        if start < 0:
            start += self.maximum
        move.position = ring + start
        while True:
            move.expected = load_word(words + move.position)
            if self.is_takeable(move.expected, now_ns):
                move.replacement = move.stamp = now_ns if now_ns else 1
                move.amount = move.block
                return 0
            oldest = min(oldest, move.expected)
            move.position = move.position + 1 if move.position + 1 < ring + self.maximum else ring
            if move.position == ring + start:
                return ahead(oldest, now_ns) + self.window_ns

    cdef bint is_takeable(self, int64_t word, int64_t now_ns) noexcept:
        return word == 0 or word <= now_ns - self.window_ns

    cdef int64_t plan_fixed(self, int64_t wall_ns, Move *move) noexcept:
        cdef int64_t count = self.fixed_window(move.expected, wall_ns, &move.stamp)
        if move.cost > self.maximum - count:
            return min(move.stamp + 1, INT64_MAX // self.window_ns) * self.window_ns - wall_ns
        move.replacement = move.stamp << COUNT_BITS | (count + move.cost)
        move.amount = move.cost
        return 0

    cdef int64_t fixed_window(self, int64_t word, int64_t wall_ns, int64_t *window) noexcept:
        """Sets the number of the window in force, returns the count in it."""
        cdef int64_t stored = word >> COUNT_BITS
        cdef int64_t current = wall_ns // self.window_ns
        window[0] = max(stored, current)
        return 0 if stored < current else word & COUNT_MASK

    cdef int64_t plan_bucket(self, int64_t now_ns, Move *move) noexcept:
        cdef int64_t debt_ns = max(0, ahead(move.expected, now_ns))
        cdef int64_t need_ns = move.cost * self.interval_ns
        if debt_ns + need_ns > self.capacity_ns:
            return debt_ns + need_ns - self.capacity_ns
        move.replacement = now_ns + debt_ns + need_ns
        move.stamp = now_ns
        move.amount = need_ns
        return 0

    cdef bint commit(self, int64_t *words, Move *move) noexcept:
        """False, and nothing has changed, if another process has changed the word since."""
        if not swap_word(words + move.position, move.expected, move.replacement):
            return False
        if self.kind == SLIDING_WINDOW:
            store_word(words + move.block + CURSOR, (move.position - move.block - RING + 1) % self.maximum)
        return True


cdef int64_t amount_of(object number) except? -1:
    """A whole number from 0 on, cut at 2^63 - 1; -1 for anything else."""
    cdef int overflow = 0
    cdef int64_t amount
    if type(number) is float and number.is_integer():
        number = int(number)
    if type(number) is not int:
        return -1
    amount = PyLong_AsLongLongAndOverflow(number, &overflow)
    if overflow:
        return INT64_MAX if overflow > 0 else -1
    return max(amount, -1)


cdef inline int64_t ahead(int64_t time_ns, int64_t now_ns) noexcept:
    """`time_ns - now_ns`, cut at 2^62 on either side: a damaged word may be anything."""
    if time_ns > now_ns:
        return <int64_t>min(<uint64_t>time_ns - <uint64_t>now_ns, <uint64_t>MAX_TIME_NS)
    return max(time_ns, now_ns - MAX_TIME_NS) - now_ns


def remaining(
    Limit limit not None, Words words not None, Slots slots not None, int64_t now_ns, int64_t wall_ns
):
    """How many calls of this limit's own `cost` (of 1 where that is 0) would pass now."""
    cdef int64_t block, position, window, debt_ns
    cdef int64_t takeable = 0, cost = max(1, limit.cost)
    check_times(now_ns, wall_ns)
    if cost > limit.largest_cost:
        return 0
    block = slots.block(limit, words)
    if not block:
        return limit.largest_cost // cost
    if limit.kind == SLIDING_WINDOW:
        for position in range(block + RING, block + limit.length):
            takeable += limit.is_takeable(load_word(words.words + position), now_ns)
        return takeable
    cdef int64_t word = load_word(words.words + block + WORD)
    if limit.kind == FIXED_WINDOW:
        return max(0, limit.maximum - limit.fixed_window(word, wall_ns, &window)) // cost
    debt_ns = max(0, ahead(word, now_ns))
    return max(0, limit.capacity_ns - debt_ns) // (cost * limit.interval_ns)


def rollback(Words words not None, tuple receipt not None, int64_t now_ns):
    """Give back what `decide` spent for a call that cannot have run, in the window it was spent in."""
    cdef Move move
    cdef int kind
    check_times(now_ns, 0)
    for kind, move.position, move.stamp, move.amount in receipt:
        words.check(move.position)
        if kind == SLIDING_WINDOW:
            words.check(move.amount + CURSOR)
        give_back(words.words, kind, &move, now_ns)


cdef void give_back(int64_t *words, int kind, Move *move, int64_t now_ns) noexcept:
    cdef int64_t *place = words + move.position
    cdef int64_t word, replacement
    if kind == SLIDING_WINDOW:
        if swap_word(place, move.stamp, 0):
            store_word(words + move.amount + CURSOR, move.position - move.amount - RING)
        return
    while True:
        word = load_word(place)
        if kind == FIXED_WINDOW:
            if word >> COUNT_BITS != move.stamp:
                return
            replacement = word - min(move.amount, word & COUNT_MASK)
        elif word > now_ns:
            replacement = word - max(0, move.amount - max(0, now_ns - move.stamp))
        else:
            return
        if swap_word(place, word, replacement):
            return


@cython.final
cdef class Program:
    """All that one kind of call is judged by."""

    cdef tuple require, deny_if, checks, approve_if, limits

    def __cinit__(
        self,
        tuple require not None,
        tuple deny_if not None,
        tuple checks not None,
        tuple approve_if not None,
        tuple limits not None,
    ):
        self.require = all_of(Rule, require)
        self.deny_if = all_of(Rule, deny_if)
        self.checks = checks
        self.approve_if = all_of(Rule, approve_if)
        self.limits = all_of(Limit, limits)
        if len({(<Limit>limit).slot for limit in limits}) != len(limits):
            raise ValueError("two limits of a program share a slot: merge them, keeping the larger cost")


def decide(
    Program program not None, arguments, Words words not None, Slots slots not None,
    int64_t now_ns, int64_t wall_ns, bint is_approved=False, bint is_free=False
):
    """Judge one call; returns (code, index, detail, receipt). The specification says what each one means."""
    cdef Py_ssize_t index, place
    check_times(now_ns, wall_ns)
    for index in range(len(program.require)):
        place = (<Rule>program.require[index]).first_unmet(arguments)
        if place >= 0:
            return REQUIRE, index, place, None
    for index in range(len(program.deny_if)):
        if (<Rule>program.deny_if[index]).fires(arguments, &place):
            return DENY_IF, index, place, None
    for index in range(len(program.checks)):
        if not program.checks[index].is_valid(arguments):
            return INVALID, index, 0, None
    if not is_approved:
        for index in range(len(program.approve_if)):
            if (<Rule>program.approve_if[index]).fires(arguments, &place):
                return APPROVE_IF, index, place, None
    if is_free or not program.limits:
        return ALLOW, -1, 0, ()
    cdef Move *moves = <Move *>PyMem_Malloc(len(program.limits) * sizeof(Move))
    if moves == NULL:
        raise MemoryError("no memory to plan a spend")
    try:
        return spend(program.limits, arguments, words, slots, now_ns, wall_ns, moves)
    finally:
        PyMem_Free(moves)


cdef tuple spend(
    tuple limits, object arguments, Words words, Slots slots, int64_t now_ns, int64_t wall_ns, Move *moves
):
    """Spend on every limit or on none. No Python code runs from the first look to the last swap."""
    cdef Py_ssize_t index, refusing, made = 0, count = len(limits)
    cdef int losses = 0
    cdef int64_t longest_ns = 0
    for index in range(count):
        moves[index].cost = (<Limit>limits[index]).price(arguments)
        if moves[index].cost < 0:
            return BAD_COST, index, -1 - moves[index].cost, None
        if moves[index].cost > (<Limit>limits[index]).largest_cost:
            return NEVER_FITS, index, 0, None
    for index in range(count):
        moves[index].block = slots.block(<Limit>limits[index], words)
        if moves[index].cost and not moves[index].block:
            return UNBOUND, index, 0, None
    while losses < MAX_LOSSES:
        refusing = plan_all(limits, words, now_ns, wall_ns, moves, &longest_ns)
        if refusing >= 0:
            return THROTTLE, refusing, longest_ns, None
        made = commit_all(limits, words, now_ns, moves)
        if made == count:
            return ALLOW, -1, 0, make_receipt(limits, moves)
        losses += 1
    return THROTTLE, made, 1, None


cdef Py_ssize_t plan_all(
    tuple limits, Words words, int64_t now_ns, int64_t wall_ns, Move *moves, int64_t *longest_ns
) noexcept:
    """The first limit that refuses, and the longest wait over all that do; -1 if every one has a move."""
    cdef Py_ssize_t index, refusing = -1
    cdef int64_t wait_ns
    longest_ns[0] = 0
    for index in range(len(limits)):
        if not moves[index].cost:
            continue
        wait_ns = (<Limit>limits[index]).plan(words.words, now_ns, wall_ns, moves + index)
        if wait_ns and refusing < 0:
            refusing = index
        longest_ns[0] = max(longest_ns[0], wait_ns)
    return refusing


cdef Py_ssize_t commit_all(tuple limits, Words words, int64_t now_ns, Move *moves) noexcept:
    """How many moves could be made: all of them, or the first one that could not, and then none is left."""
    cdef Py_ssize_t index, made
    for index in range(len(limits)):
        if moves[index].cost and not (<Limit>limits[index]).commit(words.words, moves + index):
            for made in range(index):
                if moves[made].cost:
                    give_back(words.words, (<Limit>limits[made]).kind, moves + made, now_ns)
            return index
    return len(limits)


cdef tuple make_receipt(tuple limits, Move *moves):
    cdef list receipt = []
    cdef Move move
    cdef Py_ssize_t index
    for index in range(len(limits)):
        move = moves[index]
        if move.cost:
            receipt.append(((<Limit>limits[index]).kind, move.position, move.stamp, move.amount))
    return tuple(receipt)


cdef int check_times(int64_t now_ns, int64_t wall_ns) except -1:
    if not (-MAX_TIME_NS <= now_ns <= MAX_TIME_NS and 0 <= wall_ns <= MAX_TIME_NS):
        checked("now_ns", now_ns, -MAX_TIME_NS, MAX_TIME_NS)
        checked("wall_ns", wall_ns, 0, MAX_TIME_NS)
    return 0
