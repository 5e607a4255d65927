# What the core takes from `_matching.pyx` without a detour through Python.

cdef class Condition:
    cdef tuple path
    cdef int op
    cdef object value
    cdef bint of_length

    cpdef int test(self, object arguments, bint every) except -1
    cdef int test_from(self, object value, Py_ssize_t depth, bint every) except -1
    cdef int test_each(self, list elements, Py_ssize_t depth, bint every) except -1
    cdef int compare(self, object argument) except -1


cdef class Rule:
    cdef tuple conditions

    cdef Py_ssize_t first_unmet(self, object arguments) except -2
    cdef bint fires(self, object arguments, Py_ssize_t *mistyped) except -1


cdef tuple all_of(type kind, tuple members)
cdef int check_path(tuple path, object lowest) except -1
cdef object find(object arguments, tuple path)
