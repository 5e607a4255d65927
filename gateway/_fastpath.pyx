# cython: cdivision=True
# Every divisor is positive, and the one dividend that may be negative (the cursor) is put right by hand.
"""The compiled core. `_fastpath_py.py` is its specification and explains every rule: change that one first.

What differs is only what speed and several processes on one file of words ask for: every change of a limit
is a 64-bit compare-and-swap, and a spend that loses a race gives back what it has spent and starts over.
It imports nothing of ours. Called through `gateway.fastpath`.
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.dict cimport PyDict_GetItemWithError
from cpython.mem cimport PyMem_Calloc, PyMem_Free, PyMem_Malloc
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject
from libc.stdint cimport INT64_MAX, int64_t, uint64_t

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
    PyTypeObject PyLong_Type
    PyTypeObject PyFloat_Type
    int Py_EnterRecursiveCall(const char *where) except -1
    void Py_LeaveRecursiveCall()

cpdef enum: EQ, NEQ, LT, LTE, GT, GTE, IN, NOT_IN, EXISTS, REGEX, CONTAINS
cpdef enum: HOLDS, FAILS, MISTYPED
cpdef enum: SLIDING_WINDOW, FIXED_WINDOW, TOKEN_BUCKET
cpdef enum: ALLOW, REQUIRE, DENY_IF, THROTTLE, NEVER_FITS, UNBOUND

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


cdef object BLOCKED = object()


@cython.final
cdef class Condition:
    """One test of one argument (policy.md, "Conditions")."""

    cdef tuple path
    cdef int op
    cdef object value

    def __cinit__(self, tuple path not None, int op, value):
        if not fits(op, value):
            raise ValueError(f"operator {op} cannot compare with a {type(value).__name__}")
        self.path = path
        self.op = op
        self.value = value

    cpdef int test(self, object arguments) except -1:
        """HOLDS, FAILS or MISTYPED for these arguments."""
        cdef object argument = find(arguments, self.path)
        if argument is BLOCKED:
            return MISTYPED
        if self.op == EXISTS:
            return HOLDS if (argument is not None) == (self.value is True) else FAILS
        if argument is None:
            return FAILS
        if not is_comparable(self.op, argument, self.value):
            return MISTYPED
        return HOLDS if compare(self.op, argument, self.value) else FAILS


@cython.final
cdef class Rule:
    """Conditions that must all be met."""

    cdef tuple conditions

    def __cinit__(self, tuple conditions not None):
        self.conditions = all_of(Condition, conditions)


cdef tuple all_of(type kind, tuple members):
    """The members, whose type is checked this once and trusted from then on."""
    for member in members:
        if type(member) is not kind:
            raise TypeError(f"expected a {kind.__name__}, not a {type(member).__name__}")
    return members


cdef bint fits(int op, object value) except -1:
    if LT <= op <= GTE:
        return json_type(value) == &PyFloat_Type
    if op == IN or op == NOT_IN:
        return type(value) is tuple
    if op == EXISTS:
        return type(value) is bool
    if op == REGEX:
        return hasattr(value, "is_valid")
    return op == EQ or op == NEQ or op == CONTAINS


cdef inline PyTypeObject *json_type(object value) noexcept:
    cdef PyTypeObject *kind = <PyTypeObject *>Py_TYPE(value)
    return &PyFloat_Type if kind == &PyLong_Type else kind


cdef object find(object arguments, tuple path):
    cdef object value = arguments
    cdef PyObject *found
    for key in path:
        if value is None:
            return None
        if type(value) is not dict:
            return BLOCKED
        found = PyDict_GetItemWithError(value, key)
        if found == NULL:
            return None
        value = <object>found
    return value


cdef bint is_comparable(int op, object argument, object value) except -1:
    cdef PyTypeObject *kind = json_type(argument)
    if op == EQ or op == NEQ:
        return kind == json_type(value)
    if LT <= op <= GTE:
        return kind == &PyFloat_Type
    if op == IN or op == NOT_IN:
        for member in <tuple>value:
            if kind == json_type(member):
                return True
        return False
    if op == REGEX:
        return type(argument) is str
    return type(argument) is list or (type(argument) is str and type(value) is str)


cdef bint compare(int op, object argument, object value) except -1:
    if op == EQ or op == NEQ:
        return equal(argument, value) == (op == EQ)
    if op == LT:
        return argument < value
    if op == LTE:
        return argument <= value
    if op == GT:
        return argument > value
    if op == GTE:
        return argument >= value
    if op == IN or op == NOT_IN:
        for member in <tuple>value:
            if equal(argument, member):
                return op == IN
        return op == NOT_IN
    if op == REGEX:
        return bool(value.is_valid(argument))
    if type(argument) is str:
        return <str>value in <str>argument
    for element in <list>argument:
        if equal(element, value):
            return True
    return False


cdef bint equal(object left, object right) except -1:
    if json_type(left) != json_type(right):
        return False
    if type(left) is not list and type(left) is not dict:
        return left == right
    if len(left) != len(right):
        return False
    Py_EnterRecursiveCall(b" while comparing arguments")
    try:
        return equal_lists(left, right) if type(left) is list else equal_dicts(left, right)
    finally:
        Py_LeaveRecursiveCall()


cdef bint equal_lists(list left, list right) except -1:
    for element, other in zip(left, right):
        if not equal(element, other):
            return False
    return True


cdef bint equal_dicts(dict left, dict right) except -1:
    cdef PyObject *found
    for key, value in left.items():
        found = PyDict_GetItemWithError(right, key)
        if found == NULL or not equal(value, <object>found):
            return False
    return True


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
    int64_t block, position
    int64_t expected, replacement
    int64_t stamp, amount


@cython.final
cdef class Limit:
    """A limit, and what one call costs on it (policy.md, "Limits")."""

    cdef int kind
    cdef int64_t slot, window_ns, maximum, length, cost, interval_ns, largest_cost, capacity_ns

    def __cinit__(self, slot, kind, window_ns, maximum, burst, cost):
        self.slot = checked("slot", slot, 0, INT64_MAX)
        self.window_ns = checked("window_ns", window_ns, MIN_WINDOW_NS, MAX_WINDOW_NS)
        self.maximum = checked("maximum", maximum, 1, MAX_MAXIMUM)
        self.length = block_length(kind, maximum)
        self.kind = kind
        self.cost = checked("cost", cost, 1, 1 if kind == SLIDING_WINDOW else INT64_MAX)
        self.interval_ns = (self.window_ns + self.maximum - 1) // self.maximum
        self.largest_cost = self.maximum
        if kind == TOKEN_BUCKET:
            self.largest_cost = checked("burst", burst, 1, MAX_CAPACITY_NS // self.interval_ns)
        self.capacity_ns = self.largest_cost * self.interval_ns

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
        if self.cost > self.maximum - count:
            return min(move.stamp + 1, INT64_MAX // self.window_ns) * self.window_ns - wall_ns
        move.replacement = move.stamp << COUNT_BITS | (count + self.cost)
        move.amount = self.cost
        return 0

    cdef int64_t fixed_window(self, int64_t word, int64_t wall_ns, int64_t *window) noexcept:
        """Sets the number of the window in force, returns the count in it."""
        cdef int64_t stored = word >> COUNT_BITS
        cdef int64_t current = wall_ns // self.window_ns
        window[0] = max(stored, current)
        return 0 if stored < current else word & COUNT_MASK

    cdef int64_t plan_bucket(self, int64_t now_ns, Move *move) noexcept:
        cdef int64_t debt_ns = max(0, ahead(move.expected, now_ns))
        cdef int64_t need_ns = self.cost * self.interval_ns
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


cdef inline int64_t ahead(int64_t time_ns, int64_t now_ns) noexcept:
    """`time_ns - now_ns`, cut at 2^62 on either side: a damaged word may be anything."""
    if time_ns > now_ns:
        return <int64_t>min(<uint64_t>time_ns - <uint64_t>now_ns, <uint64_t>MAX_TIME_NS)
    return max(time_ns, now_ns - MAX_TIME_NS) - now_ns


def remaining(
    Limit limit not None, Words words not None, Slots slots not None, int64_t now_ns, int64_t wall_ns
):
    """How many calls of this limit's cost would pass now. A limit without a block is untouched: full."""
    cdef int64_t block, position, window, debt_ns
    cdef int64_t takeable = 0
    check_times(now_ns, wall_ns)
    if limit.cost > limit.largest_cost:
        return 0
    block = slots.block(limit, words)
    if not block:
        return limit.largest_cost // limit.cost
    if limit.kind == SLIDING_WINDOW:
        for position in range(block + RING, block + limit.length):
            takeable += limit.is_takeable(load_word(words.words + position), now_ns)
        return takeable
    cdef int64_t word = load_word(words.words + block + WORD)
    if limit.kind == FIXED_WINDOW:
        return max(0, limit.maximum - limit.fixed_window(word, wall_ns, &window)) // limit.cost
    debt_ns = max(0, ahead(word, now_ns))
    return max(0, limit.capacity_ns - debt_ns) // (limit.cost * limit.interval_ns)


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

    cdef tuple require, deny_if, limits

    def __cinit__(self, tuple require not None, tuple deny_if not None, tuple limits not None):
        self.require = all_of(Rule, require)
        self.deny_if = all_of(Rule, deny_if)
        self.limits = all_of(Limit, limits)
        if len({(<Limit>limit).slot for limit in limits}) != len(limits):
            raise ValueError("two limits of a program share a slot: merge them, keeping the larger cost")


def decide(
    Program program not None, arguments, Words words not None, Slots slots not None,
    int64_t now_ns, int64_t wall_ns
):
    """Judge one call; returns (code, index, detail, receipt). The specification says what each one means."""
    cdef Py_ssize_t index, place, mistyped
    check_times(now_ns, wall_ns)
    for index in range(len(program.require)):
        place = first_unmet(<Rule>program.require[index], arguments)
        if place >= 0:
            return REQUIRE, index, place, None
    for index in range(len(program.deny_if)):
        mistyped = -1
        if fires(<Rule>program.deny_if[index], arguments, &mistyped):
            return DENY_IF, index, mistyped, None
    if not program.limits:
        return ALLOW, -1, 0, ()
    cdef Move *moves = <Move *>PyMem_Malloc(len(program.limits) * sizeof(Move))
    if moves == NULL:
        raise MemoryError("no memory to plan a spend")
    try:
        return spend(program.limits, words, slots, now_ns, wall_ns, moves)
    finally:
        PyMem_Free(moves)


cdef Py_ssize_t first_unmet(Rule rule, object arguments) except -2:
    cdef Py_ssize_t place
    for place in range(len(rule.conditions)):
        if (<Condition>rule.conditions[place]).test(arguments) != HOLDS:
            return place
    return -1


cdef bint fires(Rule rule, object arguments, Py_ssize_t *mistyped) except -1:
    cdef Py_ssize_t place
    cdef int result
    for place in range(len(rule.conditions)):
        result = (<Condition>rule.conditions[place]).test(arguments)
        if result == FAILS:
            return False
        if result == MISTYPED and mistyped[0] < 0:
            mistyped[0] = place
    return True


cdef tuple spend(tuple limits, Words words, Slots slots, int64_t now_ns, int64_t wall_ns, Move *moves):
    """Spend on every limit or on none. No Python code runs from the first look to the last swap."""
    cdef Py_ssize_t index, refusing, made = 0, count = len(limits)
    cdef int losses = 0
    cdef int64_t longest_ns = 0
    cdef Limit limit
    for index in range(count):
        moves[index].block = slots.block(<Limit>limits[index], words)
        if not moves[index].block:
            return UNBOUND, index, 0, None
    for index in range(count):
        limit = <Limit>limits[index]
        if limit.cost > limit.largest_cost:
            return NEVER_FITS, index, 0, None
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
        wait_ns = (<Limit>limits[index]).plan(words.words, now_ns, wall_ns, moves + index)
        if wait_ns and refusing < 0:
            refusing = index
        longest_ns[0] = max(longest_ns[0], wait_ns)
    return refusing


cdef Py_ssize_t commit_all(tuple limits, Words words, int64_t now_ns, Move *moves) noexcept:
    """How many moves could be made: all of them, or the first one that could not, and then none is left."""
    cdef Py_ssize_t index, made
    for index in range(len(limits)):
        if not (<Limit>limits[index]).commit(words.words, moves + index):
            for made in range(index):
                give_back(words.words, (<Limit>limits[made]).kind, moves + made, now_ns)
            return index
    return len(limits)


cdef tuple make_receipt(tuple limits, Move *moves):
    cdef list receipt = []
    cdef Move move
    cdef Py_ssize_t index
    for index in range(len(limits)):
        move = moves[index]
        receipt.append(((<Limit>limits[index]).kind, move.position, move.stamp, move.amount))
    return tuple(receipt)


cdef int check_times(int64_t now_ns, int64_t wall_ns) except -1:
    if not (-MAX_TIME_NS <= now_ns <= MAX_TIME_NS and 0 <= wall_ns <= MAX_TIME_NS):
        checked("now_ns", now_ns, -MAX_TIME_NS, MAX_TIME_NS)
        checked("wall_ns", wall_ns, 0, MAX_TIME_NS)
    return 0


def matches_glob(str pattern not None, str name not None):
    """Whether the whole name matches: `*` is any run of characters, every other character is itself."""
    cdef list pieces = pattern.split("*")
    cdef Py_ssize_t position, index, last = len(pieces) - 1
    if last == 0:
        return pattern == name
    if not name.startswith(pieces[0]):
        return False
    position = len(<str>pieces[0])
    for index in range(1, last):
        position = name.find(pieces[index], position)
        if position < 0:
            return False
        position += len(<str>pieces[index])
    return name.endswith(pieces[last], position)
