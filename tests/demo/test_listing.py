"""Built-in binaries, made from their listings."""

from itertools import pairwise

import pytest

from gateway.demo.listing import BUILT_IN, fresh_binary

each_binary = pytest.mark.parametrize("name", BUILT_IN)


@each_binary
def test_a_binary_is_small_but_whole(name):
    """There is something of everything in it, and 25 functions."""
    binary = fresh_binary(name)
    assert len(binary.functions) == 25
    assert binary.name == name
    assert all((binary.imports, binary.exports, binary.strings, binary.data_vars, binary.types))


@each_binary
def test_a_fresh_binary_is_independent_of_the_one_before(name):
    """Changes to one copy never reach the next."""
    first = fresh_binary(name)
    first.rename("main", "changed")
    first.comments[first.base] = "changed"
    first.sections[0].content[0] = 0
    first.functions[2].variables[0].name = "changed"
    assert fresh_binary(name) != first
    assert fresh_binary(name) == fresh_binary(name)


@each_binary
def test_functions_lie_side_by_side_in_the_text_section(name):
    """Each function starts where the one before ends, and the section ends with the last."""
    binary = fresh_binary(name)
    text = binary.sections[1]
    ends = [function.address + function.size for function in binary.functions]
    assert [function.address for function in binary.functions] == [text.start, *ends[:-1]]
    assert text.end == ends[-1]
    for function in binary.functions:
        assert function.address < function.statements[-1].address < function.address + function.size


@each_binary
def test_sections_do_not_overlap(name):
    """Every address belongs to one section at most."""
    sections = fresh_binary(name).sections
    assert all(one.end <= next_one.start for one, next_one in pairwise(sections))


def test_the_head_and_the_body_of_a_function_are_understood():
    """Result, parameters and locals come from the C text; locals lie below the frame base."""
    function = fresh_binary("crackme.bin").functions[2]
    rows = [(v.name, v.type, v.storage, v.offset) for v in function.variables]
    assert (function.name, function.returns) == ("main", "int32_t")
    assert rows == [
        ("argc", "int32_t", "parameter", 16),
        ("argv", "char**", "parameter", 24),
        ("line", "char[64]", "stack", -64),
        ("result", "int32_t", "stack", -68),
    ]


def test_strings_are_in_memory_where_they_are_said_to_be():
    """A string's address points at its bytes, escapes undone."""
    binary = fresh_binary("httpd.bin")
    address = next(address for address, text in binary.strings.items() if text == r"\r\n\r\n")
    section = binary.section_at(address)
    first = address - section.start
    assert bytes(section.content[first : first + 5]) == b"\r\n\r\n\0"
