"""Tools about whole binaries: which are open, opening one, analysing, writing one out."""

from pathlib import PurePosixPath

from gateway.demo.desk import Desk
from gateway.demo.model import Binary, ToolError


def list_binaries(desk: Desk) -> dict[str, object]:
    """Names of the open binaries."""
    names = list(desk.workspace.binaries)
    return {"binaries": names, "count": len(names), "sync": {"added": [], "removed": []}}


def get_binary_info(desk: Desk, filename: str) -> dict[str, object]:
    """Load state, path and analysis state of one binary."""
    return describe(desk.binary(filename))


def open_binary(desk: Desk, file_path: str, bndb_path: str | None, wait_for_analysis: bool) -> dict[str, object]:
    """Open a binary. No disk is read: whatever the path, it is a copy of the first built-in one."""
    path = PurePosixPath(file_path)
    if path.suffix != ".bndb" and bndb_path is None:
        raise ToolError("a raw binary needs bndb_path, where its database is to be kept")
    binary = desk.workspace.open(path.name, file_path)
    if wait_for_analysis:
        desk.analyse()
    return {**describe(binary), "bndb_path": bndb_path or file_path}


def update_analysis_and_wait(desk: Desk, filename: str) -> str:
    """Analyse again, and wait for the end of it."""
    binary = desk.binary(filename)
    desk.analyse()
    return f"Analysis of {binary.name} is complete"


def export_program(desk: Desk, filename: str, output_path: str, format: str, overwrite: bool) -> dict[str, object]:
    """Write the binary or its database to a path, in the memory of this session alone."""
    binary = desk.binary(filename)
    if format not in {"binary", "bndb"}:
        raise ToolError(f"unknown format {format!r}; use binary or bndb")
    if output_path in desk.workspace.exported and not overwrite:
        raise ToolError(f"{output_path} exists; pass overwrite to replace it")
    content = b"".join(bytes(section.content) for section in binary.sections)
    desk.workspace.exported[output_path] = content
    return {"output_path": output_path, "format": format, "bytes_written": len(content)}


def describe(binary: Binary) -> dict[str, object]:
    """What is told about a binary as a whole."""
    return {
        "name": binary.name,
        "path": binary.path,
        "loaded": True,
        "architecture": "x86_64",
        "platform": "linux-x86_64",
        "base_address": hex(binary.base),
        "entry_point": hex(binary.functions[0].address),
        "analysis_state": "idle",
        "functions": len(binary.functions),
        "strings": len(binary.strings),
    }


TOOLS = {
    tool.__name__: tool
    for tool in (list_binaries, get_binary_info, open_binary, update_analysis_and_wait, export_program)
}
