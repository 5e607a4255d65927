"""Tools that list what else is in a binary: symbols, strings, types, memory. They change nothing."""

from collections import defaultdict

from gateway.demo.desk import Desk
from gateway.demo.model import Binary, ToolError


def get_entry_points(desk: Desk, filename: str) -> list[dict[str, str]]:
    """The entry point and the exported functions."""
    binary = desk.binary(filename)
    rows = [{**row, "type": "export"} for row in _exported(binary)]
    return [{**rows[0], "type": "entry"}, *rows[1:]]


def get_imports(desk: Desk, filename: str) -> dict[str, list[dict[str, str]]]:
    """Imported symbols by module."""
    modules: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for entry in desk.binary(filename).imports:
        modules[entry.module].append({"name": entry.name, "address": hex(entry.address)})
    return dict(modules)


def get_exports(desk: Desk, filename: str) -> list[dict[str, str]]:
    """Exported symbols."""
    return _exported(desk.binary(filename))


def _exported(binary: Binary) -> list[dict[str, str]]:
    exported = [function for function in binary.functions if function.symbol in binary.exports]
    return [{"name": function.name, "address": hex(function.address)} for function in exported]


def get_strings(desk: Desk, filename: str, page_size: int, page_number: int) -> dict[str, object]:
    """One page of the strings."""
    return _page(_strings(desk.binary(filename)), page_size, page_number)


def search_strings(
    desk: Desk, filename: str, pattern: str, case_sensitive: bool, page_size: int, page_number: int
) -> dict[str, object]:
    """One page of the strings that contain a text."""
    rows = [
        row
        for row in _strings(desk.binary(filename))
        if (pattern in row["value"] if case_sensitive else pattern.lower() in row["value"].lower())
    ]
    return _page(rows, page_size, page_number)


def _strings(binary: Binary) -> list[dict[str, str]]:
    return [{"address": hex(address), "value": text} for address, text in binary.strings.items()]


def _page(rows: list[dict[str, str]], page_size: int, page_number: int) -> dict[str, object]:
    if page_size < 1 or page_number < 1:
        raise ToolError("page_size and page_number start at 1")
    first = page_size * (page_number - 1)
    return {
        "strings": rows[first : first + page_size],
        "page": page_number,
        "page_size": page_size,
        "total": len(rows),
    }


def get_segments(desk: Desk, filename: str) -> list[dict[str, object]]:
    """Memory segments and their permissions."""
    sections = desk.binary(filename).sections
    spans: dict[str, tuple[int, int]] = {}
    for section in sections:
        start, _ = spans.get(section.permissions, (section.start, 0))
        spans[section.permissions] = (start, section.end)
    return [{"start": hex(s), "end": hex(e), "permissions": p} for p, (s, e) in spans.items()]


def get_sections(desk: Desk, filename: str) -> list[dict[str, object]]:
    """Sections."""
    return [
        {"name": s.name, "start": hex(s.start), "end": hex(s.end), "size": s.end - s.start}
        for s in desk.binary(filename).sections
    ]


def get_classes(desk: Desk, filename: str) -> list[dict[str, object]]:
    """Structure and class types with their members."""
    types = desk.binary(filename).types.values()
    return [{"name": t.name, "kind": t.kind, "members": t.members} for t in types if t.kind in {"struct", "class"}]


def get_namespaces(desk: Desk, filename: str) -> list[dict[str, object]]:
    """Functions by namespace; the global one has an empty name."""
    names: defaultdict[str, list[str]] = defaultdict(list)
    for function in desk.binary(filename).functions:
        namespace, _, _ = function.name.rpartition("::")
        names[namespace].append(function.name)
    return [{"namespace": namespace, "symbols": symbols} for namespace, symbols in names.items()]


def get_data_vars(desk: Desk, filename: str) -> list[dict[str, str]]:
    """All data variables."""
    return [
        {"address": hex(data_var.address), "name": data_var.name, "type": data_var.type}
        for data_var in desk.binary(filename).data_vars
    ]


TOOLS = {
    tool.__name__: tool
    for tool in (
        get_entry_points,
        get_imports,
        get_exports,
        get_strings,
        search_strings,
        get_segments,
        get_sections,
        get_classes,
        get_namespaces,
        get_data_vars,
    )
}
