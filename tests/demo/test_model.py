"""Looking things up in a binary, and renaming them."""

import pytest

from gateway.demo.listing import fresh_binary
from gateway.demo.model import ToolError


@pytest.fixture
def binary():
    """A copy of the first built-in binary."""
    return fresh_binary("crackme.bin")


@pytest.mark.parametrize("place", ["print_banner", "0x4020e0", "4020e0", " print_banner "])
def test_a_place_is_meant_by_name_or_by_address(binary, place):
    """A name, or a hexadecimal number with or without 0x, gives the address."""
    assert binary.resolve(place) == 0x4020E0


@pytest.mark.parametrize(
    ("place", "problem"),
    [("", "no symbol or address ''"), ("nowhere", "'nowhere' in crackme.bin"), ("0x1", "0x1 is not mapped")],
)
def test_a_place_that_is_nowhere_is_an_error(binary, place, problem):
    """The error names what was asked for."""
    with pytest.raises(ToolError, match=problem):
        binary.resolve(place)


def test_a_function_is_found_by_any_address_inside_it(binary):
    """An address in the middle of a function means the function."""
    assert binary.function("0x4020e7").name == "print_banner"


def test_a_place_without_a_function_is_an_error(binary):
    """A data variable is no function."""
    with pytest.raises(ToolError, match="no function at 'g_debug'"):
        binary.function("g_debug")


def test_renaming_changes_what_is_shown_and_found(binary):
    """After a rename the new name is shown and found, and the old one is unknown."""
    assert binary.rename("g_attempts", "g_tries") == "g_attempts"
    main = binary.function("main")
    assert binary.render(main, "while (g_attempts < 3)") == "while (g_tries < 3)"
    assert binary.resolve("g_tries") == 0x406000
    with pytest.raises(ToolError):
        binary.resolve("g_attempts")


@pytest.mark.parametrize(("place", "name"), [("main", " "), ("puts", "write"), ("0x4020e7", "inside")])
def test_what_has_no_name_to_change_is_refused(binary, place, name):
    """An empty name, an import and the middle of a function can't be renamed to or from."""
    with pytest.raises(ToolError):
        binary.rename(place, name)


def test_a_member_and_a_string_keep_their_names(binary):
    """Only names of things are replaced, never a member of that name or text in quotes."""
    function = binary.function("store_license")
    function.variable("level").name = "grade"
    assert binary.render(function, 'g_license.level = level; p->level("level")') == (
        'g_license.level = grade; p->level("level")'
    )


def test_references_survive_a_rename(binary):
    """A caller is still a caller when both have other names."""
    binary.rename("checksum", "djb2")
    callers = [r.function.symbol for r in binary.references() if r.target == binary.resolve("djb2")]
    assert callers == ["check_serial"]


def test_references_go_to_functions_imports_data_and_strings(binary):
    """The kinds of targets that a line of code can name, and whether it calls them."""
    on_failure = binary.function("on_failure")
    kinds = [(r.target, r.kind) for r in binary.references() if r.function is on_failure]
    puts = binary.resolve("puts")
    wrong, detected = (a for a, s in binary.strings.items() if s in {"Wrong serial", "debugger detected"})
    assert kinds == [
        (puts, "call"),
        (wrong, "data"),
        (binary.resolve("g_debug"), "data"),
        (puts, "call"),
        (detected, "data"),
    ]


def test_an_unknown_variable_is_named_with_the_known_ones(binary):
    """The error says what the function does have."""
    with pytest.raises(ToolError, match="mix has no variable 'x'; it has: state, value"):
        binary.function("mix").variable("x")
