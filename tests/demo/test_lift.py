"""Lower views of a function, derived from its lines."""

import pytest

from gateway.demo import lift
from gateway.demo.listing import BUILT_IN, fresh_binary


def test_instructions_follow_the_lines():
    """Each line becomes one instruction, calls name their target as it is called now."""
    binary = fresh_binary("crackme.bin")
    binary.rename("strip_newline", "chomp")
    texts = [text for _, text in lift.disassembly(binary, binary.function("read_line"))]
    assert texts == [
        "push    rbp {frame 0x10}",
        "call    fgets",
        "call    exit",
        "call    chomp",
        "call    strlen",
    ]


def test_low_level_il_shows_both_ways_of_a_branch():
    """A branch names the addresses of what follows."""
    binary = fresh_binary("crackme.bin")
    (_, _), (_, branch), then, other = lift.low_level_il(binary, binary.function("level_name"))
    assert branch == f"if (level == 2) then {then[0]:#x} else {other[0]:#x}"
    assert then[1] == other[1] == "<return> jump(pop)"


@pytest.mark.parametrize("name", BUILT_IN)
def test_blocks_cover_a_function_without_gaps(name):
    """Every instruction is in exactly one block, and control only goes to the start of one."""
    binary = fresh_binary(name)
    for function in binary.functions:
        blocks = lift.blocks(function)
        starts = [block.start for block in blocks]
        assert starts == [function.address, *(block.end for block in blocks[:-1])]
        assert all(to in starts for block in blocks for to in block.successors)
