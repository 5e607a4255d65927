"""Tools about whole binaries."""

import pytest

from gateway.demo.model import ToolError
from tests.demo.desks import CRACKME, HTTPD, call, new_desk


@pytest.fixture
def desk():
    """A desk with a session of its own."""
    return new_desk()


def test_opening_adds_a_binary(desk):
    """A path opens under its last part, and is listed from then on."""
    info = call(desk, "open_binary", file_path="/in/new.bndb", wait_for_analysis="true")
    assert (info["name"], info["path"], info["bndb_path"]) == ("new.bndb", "/in/new.bndb", "/in/new.bndb")
    assert call(desk, "list_binaries")["binaries"] == [CRACKME, HTTPD, "new.bndb"]


def test_a_raw_binary_needs_a_place_for_its_database(desk):
    """Only a database opens without bndb_path."""
    with pytest.raises(ToolError, match="needs bndb_path"):
        call(desk, "open_binary", file_path="/in/new.bin")


def test_the_end_of_analysis_is_told(desk):
    """Analysis of an open binary ends."""
    text = call(desk, "update_analysis_and_wait", filename=CRACKME)
    assert text == "Analysis of crackme.bin is complete"


def test_a_file_is_overwritten_only_on_request(desk):
    """The second export to one path needs `overwrite`; nothing touches a disk."""
    export = {"filename": CRACKME, "output_path": "/out/patched.bin"}
    assert call(desk, "export_program", **export)["bytes_written"] == len(desk.workspace.exported["/out/patched.bin"])
    with pytest.raises(ToolError, match="exists; pass overwrite"):
        call(desk, "export_program", **export)
    assert call(desk, "export_program", **export, overwrite=True)


def test_an_unknown_export_format_is_an_error(desk):
    """The error names the formats there are."""
    with pytest.raises(ToolError, match="use binary or bndb"):
        call(desk, "export_program", filename=CRACKME, output_path="/out/x", format="elf")
