"""The compiled matching. `_matching_py.py` is its specification and explains every rule: change that one first.

It imports nothing of ours. `_fastpath.pyx` builds on it; called through `gateway.fastpath`.
"""

cimport cython
from cpython.dict cimport PyDict_GetItemWithError
from cpython.object cimport Py_TYPE, PyObject, PyTypeObject

cdef extern from "Python.h":
    PyTypeObject PyLong_Type
    PyTypeObject PyFloat_Type
    int Py_EnterRecursiveCall(const char *where) except -1
    void Py_LeaveRecursiveCall()

cpdef enum: EQ, NEQ, LT, LTE, GT, GTE, IN, NOT_IN, EXISTS, REGEX, CONTAINS
cpdef enum: HOLDS, FAILS, MISTYPED
cpdef enum: EACH = -1

Step = str | int

cdef object MAX_INDEX = (1 << 31) - 1
cdef object BLOCKED = object()


@cython.final
cdef class Condition:
    """One test of one argument, or of each element of one (policy.md, "Conditions")."""

    def __cinit__(self, tuple path not None, int op, value, bint of_length=False):
        if not fits(op, value):
            raise ValueError(f"operator {op} cannot compare with a {type(value).__name__}")
        check_path(path, EACH)
        self.path = path
        self.op = op
        self.value = value
        self.of_length = of_length

    cpdef int test(self, object arguments, bint every) except -1:
        """HOLDS, FAILS or MISTYPED for these arguments."""
        return self.test_from(arguments, 0, every)

    cdef int test_from(self, object value, Py_ssize_t depth, bint every) except -1:
        cdef Py_ssize_t position
        cdef object step
        for position in range(depth, len(self.path)):
            if value is None:
                break
            step = self.path[position]
            if type(step) is not str and step == EACH:
                return self.test_each(value, position + 1, every) if type(value) is list else MISTYPED
            value = take(value, step)
            if value is BLOCKED:
                return MISTYPED
        return self.compare(value)

    cdef int test_each(self, list elements, Py_ssize_t depth, bint every) except -1:
        cdef int result, other = FAILS
        for element in elements:
            result = self.test_from(element, depth, every)
            if every:
                if result != HOLDS:
                    return result
                other = HOLDS
            elif result == HOLDS:
                return HOLDS
            elif result == MISTYPED:
                other = MISTYPED
        return other

    cdef int compare(self, object argument) except -1:
        if self.of_length and argument is not None:
            if type(argument) is not str and type(argument) is not list and type(argument) is not dict:
                return MISTYPED
            argument = len(argument)
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

    def __cinit__(self, tuple conditions not None):
        self.conditions = all_of(Condition, conditions)

    cdef Py_ssize_t first_unmet(self, object arguments) except -2:
        cdef Py_ssize_t place
        for place in range(len(self.conditions)):
            if (<Condition>self.conditions[place]).test_from(arguments, 0, True) != HOLDS:
                return place
        return -1

    cdef bint fires(self, object arguments, Py_ssize_t *mistyped) except -1:
        cdef Py_ssize_t place
        cdef int result
        mistyped[0] = -1
        for place in range(len(self.conditions)):
            result = (<Condition>self.conditions[place]).test_from(arguments, 0, False)
            if result == FAILS:
                return False
            if result == MISTYPED and mistyped[0] < 0:
                mistyped[0] = place
        return True


cdef tuple all_of(type kind, tuple members):
    """The members, whose type is checked this once and trusted from then on."""
    for member in members:
        if type(member) is not kind:
            raise TypeError(f"expected a {kind.__name__}, not a {type(member).__name__}")
    return members


cdef int check_path(tuple path, object lowest) except -1:
    for step in path:
        if type(step) is not str and not (type(step) is int and lowest <= step <= MAX_INDEX):
            raise ValueError(f"a path cannot take the step {step!r}")
    return 0


cdef object find(object arguments, tuple path):
    cdef object value = arguments
    for step in path:
        if value is None:
            break
        value = take(value, step)
        if value is BLOCKED:
            return None
    return value


cdef inline object take(object value, object step):
    """The member or element; None if there is none, BLOCKED if `value` is not what the step walks into."""
    cdef PyObject *found
    cdef Py_ssize_t index
    if type(step) is str:
        if type(value) is not dict:
            return BLOCKED
        found = PyDict_GetItemWithError(value, step)
        return None if found == NULL else <object>found
    if type(value) is not list:
        return BLOCKED
    index = step
    return (<list>value)[index] if index < len(<list>value) else None


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
