"""Derives the lower views of a function from its statements: disassembly, low-level IL, basic blocks.

A believable sketch, not a compiler: one instruction a statement. The tools that show code call it.
"""

import msgspec

from gateway.demo.listing import STATEMENT_BYTES
from gateway.demo.model import Binary, Function, Reference, Statement


class Block(msgspec.Struct, frozen=True):
    """A basic block: `[start, end)`, and where control goes from it."""

    start: int
    end: int
    successors: tuple[int, ...]


def is_branch(statement: Statement) -> bool:
    """Whether control may part here."""
    return statement.text.startswith(("if ", "while "))


def blocks(function: Function) -> list[Block]:
    """The basic blocks in address order. A branch goes to the next block and past it; a return nowhere."""
    statements = function.statements
    ends = [s for s in statements if is_branch(s) or s.text.startswith("return")]
    if statements[-1] not in ends:
        ends.append(statements[-1])
    limits = [s.address + STATEMENT_BYTES for s in ends]
    starts = [function.address, *limits[:-1]]
    result = []
    for i, last in enumerate(ends):
        ahead = () if last.text.startswith("return") else (i + 1, i + 2) if is_branch(last) else (i + 1,)
        result.append(Block(starts[i], limits[i], tuple(starts[n] for n in ahead if n < len(starts))))
    return result


def disassembly(binary: Binary, function: Function) -> list[tuple[int, str]]:
    """(address, instruction) for every instruction, under the present names."""
    calls = _calls(binary, function)
    frame = max([16, *(-variable.offset for variable in function.variables)])
    lines = [(function.address, f"push    rbp {{frame {frame:#x}}}")]
    for statement in function.statements:
        if statement.address in calls:
            text = f"call    {_name_at(binary, calls[statement.address].target)}"
        elif is_branch(statement):
            text = f"je      {statement.address + 2 * STATEMENT_BYTES:#x}"
        elif statement.text.startswith("return"):
            text = "ret"
        else:
            text = f"mov     {binary.render(function, statement.text.rstrip(';')).replace(' = ', ', ', 1)}"
        lines.append((statement.address, text))
    return lines


def low_level_il(binary: Binary, function: Function) -> list[tuple[int, str]]:
    """(address, low-level IL) for every instruction, under the present names."""
    calls = _calls(binary, function)
    lines = [(function.address, "push(rbp)")]
    for statement in function.statements:
        text = binary.render(function, statement.text.rstrip(";"))
        if statement.address in calls:
            text = f"call({calls[statement.address].target:#x})"
        elif is_branch(statement):
            then, other = (statement.address + n * STATEMENT_BYTES for n in (1, 2))
            text = f"{text} then {then:#x} else {other:#x}"
        elif statement.text.startswith("return"):
            text = "<return> jump(pop)"
        lines.append((statement.address, text))
    return lines


def _calls(binary: Binary, function: Function) -> dict[int, Reference]:
    found = (r for r in binary.references() if r.function is function and r.kind == "call")
    return {reference.source: reference for reference in found}


def _name_at(binary: Binary, address: int) -> str:
    return next(symbol.name for symbol in binary.symbols if symbol.address == address)
