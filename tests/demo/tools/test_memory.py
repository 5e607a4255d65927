"""Tools on raw bytes."""

import pytest

from gateway.demo.model import ToolError
from tests.demo.desks import CRACKME, call, new_desk

C = {"filename": CRACKME}


@pytest.fixture
def desk():
    """A desk with a session of its own."""
    return new_desk()


def test_bytes_are_read_as_numbers_and_text(desk):
    """One read gives three readings."""
    data = call(desk, "get_data_at", **C, address="0x405000", size="8")
    assert (data["hex"], data["text"]) == ("3d 3d 20 63 72 61 63 6b", "== crack")
    assert data["integer"] == int.from_bytes(b"== crack", "little")


@pytest.mark.parametrize("given", [{"address": "0x1"}, {"address": "main", "size": 0}])
def test_what_is_not_there_cannot_be_read(desk, given):
    """Neither an unmapped address nor an empty stretch."""
    with pytest.raises(ToolError):
        call(desk, "get_data_at", **C, **given)


def test_a_pattern_finds_every_function(desk):
    """Each function starts with the same prologue; a wildcard stands for any byte."""
    assert len(call(desk, "search_bytes", **C, pattern="55 48 ?? e5")) == 25
    assert len(call(desk, "search_bytes", **C, pattern="554889e5", max_results=3)) == 3
    [last] = call(desk, "search_bytes", **C, pattern="554889e5", start_address="is_traced")
    assert last == {"address": hex(desk.binary(CRACKME).resolve("is_traced"))}


@pytest.mark.parametrize("pattern", ["", "5", "zz", "55 ?"])
def test_what_is_no_pattern_is_an_error(desk, pattern):
    """The error shows how to write one."""
    with pytest.raises(ToolError, match="write it like '55 48"):
        call(desk, "search_bytes", **C, pattern=pattern)


@pytest.mark.parametrize("given", ["90 c3", "90C3", [0x90, 0xC3]])
def test_a_patch_is_read_back(desk, given):
    """Bytes given as text or as numbers are written; the old ones are told."""
    patched = call(desk, "patch_bytes", **C, address="mix", bytes=given)
    assert (patched["old"], patched["new"]) == ("55 48", "90 c3")
    assert call(desk, "get_data_at", **C, address="mix", size=2)["hex"] == "90 c3"


@pytest.mark.parametrize(("place", "given"), [("mix", "9"), ("mix", [256]), ("0x4024af", "90 90")])
def test_a_patch_that_does_not_fit_changes_nothing(desk, place, given):
    """Bytes that are none, and those past the end of a section, are refused whole."""
    before = call(desk, "get_data_at", **C, address=place)
    with pytest.raises(ToolError):
        call(desk, "patch_bytes", **C, address=place, bytes=given)
    assert call(desk, "get_data_at", **C, address=place) == before


def test_assembling_writes_unless_told_not_to(desk):
    """`patch` false only shows the bytes."""
    shown = call(desk, "assemble_code", **C, address="mix", code="xor eax, eax; ret", patch="false")
    assert (shown["bytes"], shown["patched"]) == ("31 c0 c3", False)
    assert call(desk, "get_data_at", **C, address="mix", size=1)["hex"] == "55"
    call(desk, "assemble_code", **C, address="mix", code="NOP\nret")
    assert call(desk, "get_data_at", **C, address="mix", size=2)["hex"] == "90 c3"


def test_an_unknown_instruction_is_named_with_the_known_ones(desk):
    """The error says what the demo can assemble."""
    with pytest.raises(ToolError, match="can't assemble 'hlt'; the demo knows nop, ret"):
        call(desk, "assemble_code", **C, address="mix", code="hlt")
