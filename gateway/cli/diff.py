"""`gateway diff A B`: what changes for whom when one policy takes another's place."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from gateway.cli import tool_source
from gateway.cli.sources import read_policy
from gateway.cli.terminal import Paint, columns
from gateway.policy.decision import Kind
from gateway.policy.diff import Change, Difference, diff
from gateway.policy.tables import compile_policy
from gateway.visible import visible

_HEADS = ("NAME", "BEFORE", "AFTER")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "diff",
        help="show what changes between two policies",
        description="Show what becomes of the calls of each tool, resource and prompt when policy B takes the place of "
        "A. With the server's tools, also of those that the policies name by globs alone.",
    )
    parser.add_argument("before", type=Path, metavar="A")
    parser.add_argument("after", type=Path, metavar="B")
    tool_source.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Print what differs. Returns 0 whether anything does; GatewayError for what cannot be read."""
    tools = tool_source.tools_from(args) or []
    before, after = (compile_policy(read_policy(path)) for path in (args.before, args.after))
    found = diff(before, after, [tool["name"] for tool in tools])
    print(json.dumps(_plain(found), indent=2) if args.json else _text(found, Paint(sys.stdout)))
    return 0


def _plain(found: Difference) -> dict[str, Any]:
    changes = [{**msgspec.to_builtins(change), "kind": change.kind.name.lower()} for change in found.changes]
    return {"changes": changes, "renamed_counters": msgspec.to_builtins(found.renames)}


def _text(found: Difference, paint: Paint) -> str:
    if not found.changes:
        return "No call is judged otherwise."
    rows = [_HEADS, *((_name(change), change.before, change.after) for change in found.changes)]
    head, *lines = columns(rows, ["bold", *(None for _ in found.changes)], paint).split("\n")
    out = [head]
    for line, change in zip(lines, found.changes, strict=True):
        out.append(line)
        out += [paint(f"    - {visible(text)}", "dim") for text in change.removed]
        out += [f"    + {visible(text)}" for text in change.added]
    for rename in found.renames:
        out.append(
            f"warning: the counter {visible(rename.before)} seems to be called {visible(rename.after)} now, "
            "which is another counter: its budget starts anew"
        )
    return "\n".join(out)


def _name(change: Change) -> str:
    kind = change.kind.name.lower()
    if not change.name:
        return f"(any other {kind})"
    return change.name if change.kind is Kind.TOOL else f"{kind} {change.name}"
