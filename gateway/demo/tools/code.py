"""Tools that show one function: its code in several forms, its blocks, its frame, its cross references."""

from gateway.demo import lift
from gateway.demo.desk import Desk
from gateway.demo.model import Binary, Function, ToolError
from gateway.demo.tools.functions import summary

SIGNATURE_BYTES = 64


def get_code(desk: Desk, filename: str, function_name_or_address: str, format: str) -> dict[str, object]:
    """The code of a function. Every format but `disasm` analyses first, as BinAssistMCP does up to 2.9.0."""
    binary = desk.binary(filename)
    function = binary.function(function_name_or_address)
    if format != "disasm":
        desk.analyse()
    code = _code(binary, function, format)
    return {"function": function.name, "address": hex(function.address), "format": format, "code": code}


def _code(binary: Binary, function: Function, format: str) -> str:
    match format:
        case "decompile" | "pseudo_c" | "hlil":
            return pseudo_c(binary, function)
        case "mlil":
            return "\n".join(f"{s.address:#x}  {binary.render(function, s.text)}" for s in function.statements)
        case "llil":
            return _numbered(lift.low_level_il(binary, function))
        case "disasm":
            return _numbered(lift.disassembly(binary, function))
        case _:
            raise ToolError(f"unknown format {format!r}; use decompile, hlil, mlil, llil, disasm or pseudo_c")


def pseudo_c(binary: Binary, function: Function) -> str:
    """The C text of a function under the present names, with its comment on top."""
    parameters = ", ".join(f"{p.type} {p.name}" for p in function.parameters)
    body = binary.render(function, "\n".join(function.lines))
    comment = binary.function_comments.get(function.address)
    head = f"// {comment}\n" if comment else ""
    return f"{head}{function.returns} {function.name}({parameters})\n{{\n{body}\n}}"


def get_function_low_level_il(desk: Desk, filename: str, address_or_name: str) -> str:
    """Low-level IL of a function."""
    binary = desk.binary(filename)
    function = binary.function(address_or_name)
    desk.analyse()
    return _numbered(lift.low_level_il(binary, function))


def _numbered(lines: list[tuple[int, str]]) -> str:
    return "\n".join(f"{address:#x}  {text}" for address, text in lines)


def analyze_function(desk: Desk, filename: str, function_name_or_address: str) -> dict[str, object]:
    """Control flow, complexity and calls of a function."""
    binary = desk.binary(filename)
    function = binary.function(function_name_or_address)
    branches = sum(lift.is_branch(statement) for statement in function.statements)
    return {
        **summary(function),
        "return_type": function.returns,
        "cyclomatic_complexity": branches + 1,
        "instructions": len(function.statements) + 1,
        "callers": _callers(binary, function.address),
        "callees": _callees(binary, function),
    }


def get_function_signature(desk: Desk, filename: str, function_name_or_address: str) -> dict[str, object]:
    """The first bytes of a function; those of addresses, which a loader may change, are masked."""
    binary = desk.binary(filename)
    function = binary.function(function_name_or_address)
    section = binary.section_at(function.address)
    first = function.address - section.start
    content = section.content[first : first + min(function.size, SIGNATURE_BYTES)]
    called = {r.source - function.address for r in binary.references() if r.function is function}
    masked = {offset + n for offset in called for n in range(1, 5)}
    shown = ["??" if i in masked else f"{byte:02x}" for i, byte in enumerate(content)]
    return {"function": function.name, "address": hex(function.address), "signature": " ".join(shown)}


def get_basic_blocks(desk: Desk, filename: str, function_name_or_address: str) -> list[dict[str, object]]:
    """The basic blocks of a function and the edges between them."""
    function = desk.binary(filename).function(function_name_or_address)
    return [
        {"start": hex(block.start), "end": hex(block.end), "outgoing": [hex(to) for to in block.successors]}
        for block in lift.blocks(function)
    ]


def get_function_stack_layout(desk: Desk, filename: str, function_name_or_address: str) -> list[dict[str, object]]:
    """The frame of a function: variables by offset."""
    function = desk.binary(filename).function(function_name_or_address)
    return [
        {"name": variable.name, "type": variable.type, "offset": variable.offset}
        for variable in sorted(function.variables, key=lambda variable: variable.offset)
    ]


def xrefs(desk: Desk, filename: str, address_or_name: str, direction: str, include_calls: bool) -> dict[str, object]:
    """References to a place, and from the function that is there."""
    binary = desk.binary(filename)
    if direction not in {"to", "from", "both"}:
        raise ToolError(f"unknown direction {direction!r}; use to, from or both")
    address = binary.resolve(address_or_name)
    function = binary.function_containing(address)
    result: dict[str, object] = {"address": hex(address)}
    references = list(binary.references())
    if direction != "from":
        result["references_to"] = [
            {"from": hex(r.source), "function": r.function.name, "type": r.kind}
            for r in references
            if r.target == address
        ]
    if direction != "to":
        result["references_from"] = [
            {"from": hex(r.source), "to": hex(r.target), "type": r.kind} for r in references if r.function is function
        ]
    if include_calls and function is not None:
        result |= {"callers": _callers(binary, function.address), "callees": _callees(binary, function)}
    return result


def _callers(binary: Binary, address: int) -> list[str]:
    found = (r.function.name for r in binary.references() if r.target == address and r.kind == "call")
    return list(dict.fromkeys(found))


def _callees(binary: Binary, function: Function) -> list[str]:
    names = {symbol.address: symbol.name for symbol in binary.symbols}
    calls = (r for r in binary.references() if r.function is function and r.kind == "call")
    return list(dict.fromkeys(names[r.target] for r in calls))


TOOLS = {
    tool.__name__: tool
    for tool in (
        get_code,
        get_function_low_level_il,
        analyze_function,
        get_function_signature,
        get_basic_blocks,
        get_function_stack_layout,
        xrefs,
    )
}
