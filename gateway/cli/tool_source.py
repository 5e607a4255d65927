"""Where a command takes a server's tools from: the catalogue, a file with a list, or a live server."""

import argparse
from pathlib import Path
from typing import Any, Final

from gateway.catalog import binassist
from gateway.cli.listing import server_at, tools_of
from gateway.cli.sources import read_plain
from gateway.errors import DocumentError
from gateway.policy.schemas import NO_SCHEMAS, KnownSchemas, SchemaSource
from gateway.reading.outcome import Fault

CATALOGUED: Final = "binassist"

Tools = list[dict[str, Any]]
"""Entries of `tools/list`, each with a `name` that is a string."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options, of which a user gives one or none."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--tools",
        metavar="FILE",
        help=f"the server's tools: a file with its answer to tools/list, or `{CATALOGUED}` for BinAssistMCP's",
    )
    group.add_argument("--upstream", metavar="URL", help="a server to ask for its tools; none of them is called")
    add_upstream_details(parser)


def add_upstream_details(parser: argparse.ArgumentParser) -> None:
    """Declare how `--upstream` is spoken to."""
    parser.add_argument("--transport", choices=["streamable-http", "sse"], default="streamable-http")
    parser.add_argument(
        "--header", action="append", default=[], metavar="NAME: VALUE", help="sent to the server; may be repeated"
    )


def tools_from(args: argparse.Namespace) -> Tools | None:
    """The tools, None where the user has named no source. Raises GatewayError when they cannot be had."""
    if args.upstream is not None:
        return tools_of(server_at(args.upstream, args.transport, args.header))
    if args.tools is None:
        return None
    return list(binassist.TOOLS) if args.tools == CATALOGUED else read_tools(Path(args.tools))


def schemas_of(tools: Tools | None) -> SchemaSource:
    """The schemas of these tools; one that cannot be used is not known, as for the gateway itself."""
    known: dict[str, Any] = {}
    for entry in tools or []:
        schema = entry.get("inputSchema")
        if isinstance(schema, dict) and _is_usable(schema):
            known[entry["name"]] = schema
    return KnownSchemas(known) if known else NO_SCHEMAS


def read_tools(path: Path) -> Tools:
    """The list in a file: an array of tools, the result with `tools`, or the whole answer. Raises DocumentError."""
    document = read_plain(path)
    value = document.value
    place: list[str] = []
    for name in ("result", "tools"):
        if isinstance(value, dict) and name in value:
            value = value[name]
            place.append(name)
    if not isinstance(value, list):
        message = "holds no list of tools; save a server's answer to tools/list"
        raise DocumentError([document.problem(tuple(place), message)])
    faults: list[Fault] = [
        ((*place, index), "a tool is a mapping with a `name`")
        for index, entry in enumerate(value)
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str)
    ]
    if faults:
        raise DocumentError(document.problems(faults))
    return value


def _is_usable(schema: dict[str, Any]) -> bool:
    try:
        KnownSchemas({"": schema})
    except (ValueError, TypeError):
        return False
    return True
