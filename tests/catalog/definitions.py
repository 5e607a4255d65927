"""Definitions of tools for tests, made from as little as a test cares about."""

from typing import Any

from gateway.catalog.definition import Definition, read_definition


def entry(name: str, *, description: str = "", hints: Any = None, **properties: Any) -> dict[str, Any]:
    """An entry of `tools/list` with these arguments; one given as a word has that type."""
    schemas = {key: {"type": value} if isinstance(value, str) else value for key, value in properties.items()}
    listed = {"name": name, "description": description, "inputSchema": {"type": "object", "properties": schemas}}
    return listed if hints is None else listed | {"annotations": hints}


def definition(name: str, **parts: Any) -> Definition:
    """The same, read."""
    return read_definition(entry(name, **parts))
