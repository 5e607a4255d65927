"""Tools that find functions."""

import pytest

from gateway.demo.model import ToolError
from tests.demo.desks import CRACKME, HTTPD, call, new_desk


def names(tool, **given):
    """Names of the functions that a tool finds in the first binary."""
    return [row["name"] for row in call(new_desk(), tool, **{"filename": CRACKME, **given})]


def test_a_function_is_found_by_a_part_of_its_name():
    """Either case will do."""
    assert names("search_functions_by_name", search_term="SERIAL") == ["check_serial"]


def test_functions_are_filtered_sorted_and_cut():
    """Filters combine; 0 stands for no bound."""
    biggest = names("get_functions_advanced", sort_by="size")[-1]
    assert biggest == "main"
    assert names("get_functions_advanced", name_filter="license", has_parameters=True) == [
        "store_license",
        "wipe_license",
    ]
    assert len(names("get_functions_advanced", limit=4)) == 4
    assert names("get_functions_advanced", min_size=100) == ["main", "check_serial"]
    assert "main" not in names("get_functions_advanced", max_size=100)


@pytest.mark.parametrize(
    ("where", "term", "found"),
    [
        ("name", "CHECKSUM", ["checksum"]),
        ("callee", "call    mix", ["checksum", "fill_key_table"]),
        ("variable", "salt", ["decode_key"]),
        ("comment", "a note", ["mix", "rotate_left"]),
    ],
)
def test_functions_are_found_by_what_is_in_them(where, term, found):
    """A text is looked for in names, callees, variables or comments."""
    desk = new_desk()
    mix = {"filename": CRACKME, "text": "A note"}
    call(desk, "comments", action="set_function", function_name_or_address="mix", **mix)
    call(desk, "comments", action="set", address="rotate_left", **mix)
    rows = call(desk, "search_functions_advanced", filename=CRACKME, search_term=term, search_in=where)
    assert [row["name"] for row in rows] == found


def test_case_counts_when_asked_for():
    """`case_sensitive` takes the text as it is."""
    assert names("search_functions_advanced", search_term="MIX", case_sensitive=True) == []


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("get_functions_advanced", {"sort_by": "colour"}),
        ("search_functions_advanced", {"search_term": "x", "search_in": "colour"}),
    ],
)
def test_an_unknown_word_is_an_error_that_names_the_known_ones(tool, given):
    """There is no enum in the schema; the tool itself tells what it knows."""
    with pytest.raises(ToolError, match=r"unknown .* 'colour'; use .*name"):
        names(tool, **given)


def test_statistics_cover_all_functions():
    """The sums are over every function."""
    statistics = call(new_desk(), "get_function_statistics", filename=HTTPD)
    functions = call(new_desk(), "get_functions", filename=HTTPD)
    assert statistics["count"] == len(functions)
    assert statistics["total_bytes"] == sum(row["size"] for row in functions)


def test_the_cursor_stands_in_a_function():
    """Address and function of the cursor belong together."""
    where = call(new_desk(), "get_current_address", filename=HTTPD)
    assert where["function"] == call(new_desk(), "get_current_function", filename=HTTPD)["name"] == "main"
