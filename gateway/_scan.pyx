"""The compiled scan of bodies. `_scan_py.py` is its specification and explains every rule: change that first.

It imports nothing of ours. Called through `gateway.fastpath`.
"""

from libc.stdint cimport uint64_t

cdef extern from "Python.h":
    int Py_EnterRecursiveCall(const char *where) except -1
    void Py_LeaveRecursiveCall()

cpdef enum: SCAN_OK, TOO_DEEP, INTEGER_TOO_LARGE
cpdef enum: MAX_DEPTH = 64


def scan(bytes body not None):
    """Look in a JSON body for what a parser lets pass: (problem, byte offset or -1, colons so far)."""
    cdef const unsigned char *data = <const unsigned char *>(<char *>body)
    cdef Py_ssize_t start, position = 0, size = len(body)
    cdef Py_ssize_t depth = 0, colons = 0
    cdef unsigned char char
    while position < size:
        start = position
        char = data[position]
        position += 1
        if char == c'"':
            position = after_string(data, position, size)
        elif char == c':':
            colons += 1
        elif is_digit(char) or (char == c'-' and position < size and is_digit(data[position])):
            if not read_number(data, start, size, &position):
                return INTEGER_TOO_LARGE, start, colons
        elif char == c'{' or char == c'[':
            depth += 1
            if depth > MAX_DEPTH:
                return TOO_DEEP, start, colons
        elif char == c'}' or char == c']':
            depth -= 1
    return SCAN_OK, -1, colons


cdef inline bint is_digit(unsigned char char) noexcept:
    return c'0' <= char <= c'9'


cdef inline Py_ssize_t after_string(const unsigned char *data, Py_ssize_t position, Py_ssize_t size) noexcept:
    """Where the string that has begun before `position` is over; beyond `size` if it never is."""
    while position < size and data[position] != c'"':
        position += 2 if data[position] == c'\\' else 1
    return position + 1


cdef bint read_number(
    const unsigned char *data, Py_ssize_t position, Py_ssize_t size, Py_ssize_t *after
) noexcept:
    """False for an integer beyond 64 bits; sets where the number is over."""
    cdef uint64_t value = 0, largest = <uint64_t>-1
    cdef bint fits_in_64_bits = True
    cdef unsigned char digit
    if data[position] == c'-':
        largest = <uint64_t>1 << 63
        position += 1
    while position < size and is_digit(data[position]):
        digit = data[position] - c'0'
        fits_in_64_bits = fits_in_64_bits and value <= (largest - digit) // 10
        value = value * 10 + digit
        position += 1
    if position < size and data[position] in b".eE":
        fits_in_64_bits = True
        while position < size and data[position] in b"0123456789.eE+-":
            position += 1
    after[0] = position
    return fits_in_64_bits


cpdef Py_ssize_t count_members(object value) except -1:
    """How many members all the objects in a parsed value have together.

    Raises RecursionError for a value nested far deeper than any body that `scan` lets pass.
    """
    cdef Py_ssize_t members = 0
    if type(value) is not dict and type(value) is not list:
        return 0
    Py_EnterRecursiveCall(b" while counting members")
    try:
        if type(value) is list:
            for item in <list>value:
                members += count_members(item)
        else:
            members = len(<dict>value)
            for item in (<dict>value).values():
                members += count_members(item)
    finally:
        Py_LeaveRecursiveCall()
    return members
