"""`Mcp-Param-*`: the arguments of a call that a tool's schema wants repeated as headers (`x-mcp-header`).

Agents over HTTP send them themselves; for one over stdio the gateway makes them (2026-07-28 transports,
"Custom Headers").
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.mcp.headers import encoded

ParamHeaders = Mapping[tuple[str, ...], str]
"""The name of the header by the path to the argument."""

_ANNOTATION: Final = "x-mcp-header"
_PREFIX: Final = "Mcp-Param-"
# RFC 9110, 5.6.2: what the name of a header is made of.
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_MAX_DEPTH: Final = 8


def declared(schema: Mapping[str, Any]) -> ParamHeaders:
    """What a tool's `inputSchema` asks for, by the properties that lead to it. Bad names are left out."""
    return dict(_declared(schema, ()))


def of(declared: ParamHeaders, arguments: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The headers for a call with these arguments. One that is absent, null or no scalar has no header."""
    values = ((name, _text(_at(arguments, path))) for path, name in declared.items())
    return [(name, encoded(text)) for name, text in values if text is not None]


def _declared(schema: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or len(path) >= _MAX_DEPTH:
        return
    for key, value in properties.items():
        if isinstance(value, dict):
            name = value.get(_ANNOTATION)
            if isinstance(name, str) and _TOKEN.fullmatch(name):
                yield (*path, key), _PREFIX + name
            yield from _declared(value, (*path, key))


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        if not isinstance(arguments, dict):
            return None
        arguments = arguments.get(key)
    return arguments


def _text(value: Any) -> str | None:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int():
            return str(value)
        case _:
            return None
