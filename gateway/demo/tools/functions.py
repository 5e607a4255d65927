"""Tools that find functions: all of them, by name, by other traits, at the cursor."""

import statistics

from gateway.demo import lift
from gateway.demo.desk import Desk
from gateway.demo.model import Binary, Function, ToolError

_SORT_KEYS = ("address", "name", "size")


def get_functions(desk: Desk, filename: str) -> list[dict[str, object]]:
    """All functions."""
    binary = desk.binary(filename)
    return [summary(function) for function in binary.functions]


def search_functions_by_name(desk: Desk, filename: str, search_term: str) -> list[dict[str, object]]:
    """Functions whose name contains a text, in either case."""
    binary = desk.binary(filename)
    return [summary(f) for f in binary.functions if search_term.lower() in f.name.lower()]


def get_functions_advanced(
    desk: Desk,
    filename: str,
    name_filter: str,
    min_size: int,
    max_size: int,
    has_parameters: bool,
    sort_by: str,
    limit: int,
) -> list[dict[str, object]]:
    """Functions by name, size or parameters, sorted. A size or limit of 0 is none."""
    if sort_by not in _SORT_KEYS:
        raise ToolError(f"unknown sort_by {sort_by!r}; use {', '.join(_SORT_KEYS)}")
    found = [
        function
        for function in desk.binary(filename).functions
        if name_filter.lower() in function.name.lower()
        and min_size <= function.size <= (max_size or function.size)
        and (function.parameters or not has_parameters)
    ]
    found.sort(key=lambda function: getattr(function, sort_by))
    return [summary(function) for function in found[: limit or None]]


def search_functions_advanced(
    desk: Desk, filename: str, search_term: str, search_in: str, case_sensitive: bool
) -> list[dict[str, object]]:
    """Functions by a text in their name, comments, callees or variables."""
    binary = desk.binary(filename)
    found = []
    for function in binary.functions:
        text = "\n".join(_searched_texts(binary, function, search_in))
        matches = search_term in text if case_sensitive else search_term.lower() in text.lower()
        if matches:
            found.append(summary(function))
    return found


def _searched_texts(binary: Binary, function: Function, search_in: str) -> list[str]:
    match search_in:
        case "name":
            return [function.name]
        case "comment" | "comments":
            inside = range(function.address, function.address + function.size)
            texts = [text for address, text in binary.comments.items() if address in inside]
            return [*texts, binary.function_comments.get(function.address, "")]
        case "callee" | "calls":
            return [text for _, text in lift.disassembly(binary, function) if text.startswith("call")]
        case "variable" | "variables":
            return [variable.name for variable in function.variables]
        case _:
            raise ToolError(f"unknown search_in {search_in!r}; use name, comment, callee or variable")


def get_function_statistics(desk: Desk, filename: str) -> dict[str, object]:
    """Size, complexity and parameter statistics over all functions."""
    functions = desk.binary(filename).functions
    largest = max(functions, key=lambda function: function.size)
    return {
        "count": len(functions),
        "total_bytes": sum(function.size for function in functions),
        "mean_size": round(statistics.mean(function.size for function in functions), 1),
        "mean_blocks": round(statistics.mean(len(lift.blocks(function)) for function in functions), 1),
        "with_parameters": sum(bool(function.parameters) for function in functions),
        "largest": summary(largest),
    }


def get_current_address(desk: Desk, filename: str) -> dict[str, object]:
    """Where the cursor is: nobody sits before the demo, so it stays at the second exported function."""
    function = _at_cursor(desk.binary(filename))
    return {"address": hex(function.address), "function": function.name, "section": ".text"}


def get_current_function(desk: Desk, filename: str) -> dict[str, object]:
    """The function that the cursor is in."""
    return summary(_at_cursor(desk.binary(filename)))


def _at_cursor(binary: Binary) -> Function:
    return next(function for function in binary.functions if function.symbol == binary.exports[1])


def summary(function: Function) -> dict[str, object]:
    """The few facts by which lists show a function."""
    return {
        "name": function.name,
        "address": hex(function.address),
        "size": function.size,
        "blocks": len(lift.blocks(function)),
        "parameters": len(function.parameters),
    }


TOOLS = {
    tool.__name__: tool
    for tool in (
        get_functions,
        search_functions_by_name,
        get_functions_advanced,
        search_functions_advanced,
        get_function_statistics,
        get_current_address,
        get_current_function,
    )
}
