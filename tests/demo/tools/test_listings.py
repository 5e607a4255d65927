"""Tools that list symbols, strings, types and memory."""

import pytest

from gateway.demo.model import ToolError
from tests.demo.desks import CRACKME, HTTPD, call, new_desk


@pytest.fixture
def desk():
    """A desk with a session of its own."""
    return new_desk()


def test_imports_are_grouped_by_module(desk):
    """Each module has its symbols, in order."""
    modules = call(desk, "get_imports", filename=HTTPD)
    assert list(modules) == ["libc.so.6", "libcrypto.so.3"]
    assert modules["libcrypto.so.3"] == [{"name": "MD5", "address": "0x11130"}]


def test_the_entry_point_comes_first(desk):
    """Entry points are the start and what is exported."""
    rows = call(desk, "get_entry_points", filename=CRACKME)
    assert [(row["name"], row["type"]) for row in rows][:2] == [("_start", "entry"), ("main", "export")]
    assert [row["name"] for row in rows] == [r["name"] for r in call(desk, "get_exports", filename=CRACKME)]


def test_strings_come_in_pages(desk):
    """Pages follow one another without loss; one past the end is empty."""
    pages = [call(desk, "get_strings", filename=HTTPD, page_size=10, page_number=n)["strings"] for n in (1, 2, 3)]
    assert [len(page) for page in pages] == [10, 9, 0]
    assert pages[0] + pages[1] == call(desk, "get_strings", filename=HTTPD)["strings"]


def test_strings_are_found_in_either_case_unless_asked(desk):
    """`case_sensitive` takes the pattern as it is."""
    search = {"filename": CRACKME, "pattern": "SERIAL"}
    assert call(desk, "search_strings", **search)["total"] == 2
    assert call(desk, "search_strings", **search, case_sensitive=True)["total"] == 0


def test_a_page_before_the_first_is_an_error(desk):
    """Pages are counted from 1."""
    with pytest.raises(ToolError, match="start at 1"):
        call(desk, "get_strings", filename=CRACKME, page_number=0)


def test_segments_join_sections_of_equal_permissions(desk):
    """Code, constants and data are one segment each."""
    segments = call(desk, "get_segments", filename=CRACKME)
    sections = call(desk, "get_sections", filename=CRACKME)
    assert [segment["permissions"] for segment in segments] == ["r-x", "r--", "rw-"]
    assert (segments[0]["start"], segments[0]["end"]) == (sections[0]["start"], sections[1]["end"])


def test_only_structures_and_classes_are_classes(desk):
    """Enums and typedefs are types, but not listed here."""
    assert [row["name"] for row in call(desk, "get_classes", filename=HTTPD)] == ["request_t", "http::Router"]


def test_functions_are_grouped_by_namespace(desk):
    """A qualified name belongs to its namespace, a plain one to the global."""
    spaces = {row["namespace"]: row["symbols"] for row in call(desk, "get_namespaces", filename=HTTPD)}
    assert list(spaces) == ["", "http::Router"]
    assert len(spaces["http::Router"]) == 3


def test_data_variables_are_listed_with_their_types(desk):
    """Address, name and type of each."""
    assert call(desk, "get_data_vars", filename=CRACKME)[2] == {
        "address": "0x406040",
        "name": "g_key_table",
        "type": "char[64]",
    }
