"""Tools that change names, notes, variables and types."""

import json

import pytest

from gateway.demo.model import ToolError
from tests.demo.desks import CRACKME, HTTPD, call, new_desk

C = {"filename": CRACKME}


@pytest.fixture
def desk():
    """A desk with a session of its own."""
    return new_desk()


def test_a_rename_is_told_and_shown(desk):
    """Both names are in the answer, and the new one in the code of callers."""
    text = call(desk, "rename_symbol", **C, address_or_name="mix", new_name="round_of")
    assert text == "Renamed mix to round_of"
    code = call(desk, "get_code", **C, function_name_or_address="checksum")["code"]
    assert "round_of(sum, bytes[i])" in code


@pytest.mark.parametrize("as_text", [False, True])
def test_a_batch_goes_on_after_a_failure(desk, as_text):
    """Each rename stands for itself, and the list may come as JSON text."""
    renames = [
        {"address_or_name": "mix", "new_name": "a"},
        {"address_or_name": "nowhere", "new_name": "b"},
        "not a rename",
        {"address_or_name": "main", "new_name": "c"},
    ]
    result = call(desk, "batch_rename", **C, renames=json.dumps(renames) if as_text else renames)
    assert (result["total"], result["renamed"], result["failed"]) == (4, 2, 2)
    assert [row["renamed"] for row in result["results"]] == [True, False, False, True]


def test_a_data_variable_is_defined_and_defined_anew(desk):
    """A new one is added, an old one changed in place; a name is made up where none is given."""
    before = len(call(desk, "get_data_vars", **C))
    call(desk, "create_data_var", **C, address="g_debug", var_type="char", name="g_flag")
    text = call(desk, "create_data_var", **C, address="0x406081", var_type="int8_t")
    assert text == "Created int8_t data_406081 at 0x406081"
    rows = call(desk, "get_data_vars", **C)
    assert len(rows) == before + 1
    assert {"address": "0x406080", "name": "g_flag", "type": "char"} in rows


def test_comments_are_set_read_listed_and_removed(desk):
    """A comment is there from its setting to its removal."""
    at = {**C, "address": "main"}
    call(desk, "comments", **at, action="set", text="starts here")
    call(desk, "comments", **C, action="set_function", function_name_or_address="mix", text="a round")
    assert call(desk, "comments", **at, action="get")["comment"] == "starts here"
    notes = [row["comment"] for row in call(desk, "comments", **C, action="list")]
    assert notes == ["starts here", "a round"]
    assert call(desk, "comments", **at, action="remove") == "Comment removed at 0x402050"
    assert call(desk, "comments", **at, action="remove") == "No comment at 0x402050"
    assert call(desk, "comments", **at, action="get")["comment"] is None


def test_a_function_and_its_first_address_have_comments_of_their_own(desk):
    """The list shows both, though they are at one address."""
    call(desk, "comments", **C, action="set", address="mix", text="at the address")
    call(desk, "comments", **C, action="set_function", function_name_or_address="mix", text="of mix")
    notes = {row["comment"] for row in call(desk, "comments", **C, action="list")}
    assert notes == {"at the address", "of mix"}


def test_bookmarks_are_set_listed_and_removed(desk):
    """A bookmark is there from its setting to its removal."""
    at = {**C, "address": "main"}
    assert call(desk, "bookmarks", **at, action="set", comment="look") == "Bookmark set at 0x402050"
    assert call(desk, "bookmarks", **C, action="list") == "0x402050: look"
    assert call(desk, "bookmarks", **at, action="remove") == "Bookmark removed at 0x402050"
    assert call(desk, "bookmarks", **at, action="remove") == "No bookmark at 0x402050"
    assert call(desk, "bookmarks", **C, action="list") == "No bookmarks"


@pytest.mark.parametrize("given", [{"action": "drop"}, {"action": "set"}])
def test_a_wrong_bookmark_call_answers_in_words(desk, given):
    """As with the real tool, a wrong action or a missing address is no error."""
    assert call(desk, "bookmarks", **C, **given).startswith("Error: ")


def test_variables_are_made_renamed_and_retyped(desk):
    """What is changed shows in the list and in the code."""
    mix = {**C, "function_name_or_address": "mix"}
    call(desk, "variables", **mix, action="create", var_name="tmp", var_type="int32_t")
    call(desk, "variables", **mix, action="rename", var_name="state", new_name="seed")
    call(desk, "variables", **mix, action="set_type", var_name="seed", var_type="uint32_t")
    rows = call(desk, "variables", **mix, action="list")
    assert [(row["name"], row["type"]) for row in rows] == [
        ("seed", "uint32_t"),
        ("value", "int32_t"),
        ("tmp", "int32_t"),
    ]
    code = call(desk, "get_code", **mix)["code"]
    assert "int32_t mix(uint32_t seed, int32_t value)" in code
    assert "rotate_left(seed, 5)" in code


@pytest.mark.parametrize("given", [{"var_name": "g_debug"}, {"address_or_name": "g_debug", "scope": "global"}])
def test_without_a_function_a_rename_is_of_a_data_symbol(desk, given):
    """`variables` renames globals too, which a rule on rename_symbol does not see."""
    text = call(desk, "variables", **C, action="rename", new_name="g_flag", **given)
    assert text == "Renamed g_debug to g_flag"


def test_types_are_listed_made_and_extended(desk):
    """Every way of making a type makes one, and a member can be added."""
    t = {"filename": HTTPD}
    call(desk, "types", **t, action="create", name="port_t", definition="uint16_t")
    call(desk, "types", **t, action="create_typedef", name="fd_t", base_type="int32_t")
    call(desk, "types", **t, action="create_enum", name="verb_t", members='{"GET": 0}')
    call(desk, "types", **t, action="create_class", class_name="Pool", members={"size": "int32_t"})
    call(desk, "types", **t, action="add_member", class_name="Pool", member_name="next", member_type="Pool*")
    kinds = {row["name"]: row["kind"] for row in call(desk, "types", **t, action="list")}
    assert [kinds[name] for name in ("port_t", "fd_t", "verb_t", "Pool")] == [
        "typedef",
        "typedef",
        "enum",
        "class",
    ]
    members = call(desk, "types", **t, action="info", name="Pool")["members"]
    assert members == {"size": "int32_t", "next": "Pool*"}


@pytest.mark.parametrize(
    ("tool", "given", "problem"),
    [
        ("comments", {"action": "List"}, "unknown action 'List'; use list, get"),
        ("variables", {"action": "x", "function_name_or_address": "mix"}, "unknown action 'x'; use list"),
        ("types", {"action": "get_info"}, "unknown action 'get_info'; use list, info"),
        ("types", {"action": "info", "name": "x"}, "no type 'x'"),
        ("types", {"action": "create"}, "name is empty"),
    ],
)
def test_a_wrong_call_names_the_mend(desk, tool, given, problem):
    """Actions are compared exactly; the error names those there are."""
    with pytest.raises(ToolError, match=problem):
        call(desk, tool, **C, **given)
