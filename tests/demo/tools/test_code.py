"""Tools that show one function."""

import pytest

from gateway.demo.model import ToolError
from tests.demo.desks import CRACKME, HTTPD, call, new_desk


@pytest.fixture
def desk():
    """A desk with a session of its own."""
    return new_desk()


def test_code_is_shown_with_its_head_and_comment(desk):
    """Pseudo-C carries the function's comment, signature and body."""
    mix = {"filename": CRACKME, "function_name_or_address": "mix"}
    call(desk, "comments", action="set_function", text="One round.", **mix)
    assert call(desk, "get_code", **mix)["code"] == (
        "// One round.\nint32_t mix(int32_t state, int32_t value)\n{\n    return rotate_left(state, 5) ^ value;\n}"
    )


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ("hlil", "puts("),
        ("mlil", '0x4020e4  puts("== crackme 1.2 ==");'),
        ("llil", "0x4020e4  call(0x401000)"),
        ("disasm", "0x4020e4  call    puts"),
        ("pseudo_c", "void print_banner()"),
    ],
)
def test_code_has_several_forms(desk, form, part):
    """Each form shows the same function in its own way."""
    result = call(desk, "get_code", filename=CRACKME, function_name_or_address="print_banner", format=form)
    assert part in result["code"]
    assert result["format"] == form


def test_an_unknown_form_is_an_error(desk):
    """The error names the forms there are."""
    with pytest.raises(ToolError, match="unknown format 'C'; use decompile"):
        call(desk, "get_code", filename=CRACKME, function_name_or_address="mix", format="C")


def test_low_level_il_is_text(desk):
    """The tool of its own gives what get_code gives as llil."""
    il = call(desk, "get_function_low_level_il", filename=CRACKME, address_or_name="mix")
    code = call(desk, "get_code", filename=CRACKME, function_name_or_address="mix", format="llil")
    assert il == code["code"]


def test_analysis_counts_branches_and_names_neighbours(desk):
    """Complexity is one more than the branches; callers and callees are named once."""
    facts = call(desk, "analyze_function", filename=HTTPD, function_name_or_address="send_status")
    assert facts["cyclomatic_complexity"] == 1
    assert facts["callers"] == ["http::Router::dispatch", "send_file", "serve_admin", "send_text"]
    assert facts["callees"] == ["sprintf", "send"]


def test_a_signature_masks_what_a_loader_may_change(desk):
    """The bytes of a call's target are masked, the prologue is not."""
    signature = call(desk, "get_function_signature", filename=CRACKME, function_name_or_address="mix")
    parts = signature["signature"].split()
    assert parts[:4] == ["55", "48", "89", "e5"]
    assert parts[5:9] == ["??"] * 4
    assert len(parts) == 16


def test_blocks_have_edges(desk):
    """A function without a branch is one block that leads nowhere."""
    assert call(desk, "get_basic_blocks", filename=CRACKME, function_name_or_address="mix") == [
        {"start": "0x4022c0", "end": "0x4022d0", "outgoing": []}
    ]


def test_the_frame_is_sorted_by_offset(desk):
    """Locals lie below the parameters."""
    rows = call(desk, "get_function_stack_layout", filename=CRACKME, function_name_or_address="main")
    assert [row["name"] for row in rows] == ["result", "line", "argc", "argv"]


def test_references_go_both_ways_unless_one_is_asked_for(desk):
    """`direction` and `include_calls` choose the parts of the answer."""
    place = {"filename": CRACKME, "address_or_name": "checksum"}
    both = call(desk, "xrefs", **place)
    assert [row["function"] for row in both["references_to"]] == ["check_serial"]
    assert [row["type"] for row in both["references_from"]] == ["call"]
    assert (both["callers"], both["callees"]) == (["check_serial"], ["mix"])
    assert set(call(desk, "xrefs", **place, direction="to", include_calls="no")) == {
        "address",
        "references_to",
    }
    assert "references_to" not in call(desk, "xrefs", **place, direction="from")
    with pytest.raises(ToolError, match="use to, from or both"):
        call(desk, "xrefs", **place, direction="up")


def test_data_is_referred_to_and_refers_to_nothing(desk):
    """A data variable has references to it only."""
    found = call(desk, "xrefs", filename=CRACKME, address_or_name="g_debug")
    assert {row["function"] for row in found["references_to"]} == {"init_runtime", "on_failure"}
    assert found["references_from"] == []
    assert "callers" not in found
