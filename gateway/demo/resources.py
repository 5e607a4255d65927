"""Reads the demo's resources: the same data as some tools give, under URIs of two schemes."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from gateway.demo.desk import Desk
from gateway.demo.model import ToolError
from gateway.demo.tools import binaries, functions, listings

_URI = re.compile(r"(?P<scheme>[a-z]+)://(?P<filename>[^/]+)/(?P<what>\w+)")
_STRINGS = 100


def _strings(desk: Desk, filename: str) -> object:
    return listings.get_strings(desk, filename, _STRINGS, 1)


def _triage_summary(desk: Desk, filename: str) -> object:
    return {
        **binaries.get_binary_info(desk, filename),
        "statistics": functions.get_function_statistics(desk, filename),
    }


_READERS: dict[tuple[str, str], Callable[[Desk, str], object]] = {
    ("binassist", "triage_summary"): _triage_summary,
    ("binassist", "functions"): functions.get_functions,
    ("binassist", "imports"): listings.get_imports,
    ("binassist", "exports"): listings.get_exports,
    ("binassist", "strings"): _strings,
    ("binja", "info"): binaries.get_binary_info,
    ("binja", "segments"): listings.get_segments,
    ("binja", "sections"): listings.get_sections,
}


def read_resource(desk: Desk, uri: str) -> Any:
    """The JSON value behind a URI. `ToolError` when there is nothing there."""
    match = _URI.fullmatch(uri)
    reader = _READERS.get((match["scheme"], match["what"])) if match else None
    if match is None or reader is None:
        raise ToolError(f"Unknown resource: {uri}")
    return reader(desk, unquote(match["filename"]))
