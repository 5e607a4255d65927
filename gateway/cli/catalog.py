"""`gateway catalog`: what is known of BinAssistMCP's tools: how risky each one is, why, and which policy to give it."""

import argparse
import sys
from typing import Any, Final

import msgspec

from gateway.catalog import binassist
from gateway.catalog.attacks import ATTACKS
from gateway.catalog.layout import as_json
from gateway.catalog.recommend import sentence, tool_policy
from gateway.catalog.risk import Classification, Switch
from gateway.catalog.survey import survey
from gateway.cli.terminal import Paint, columns
from gateway.errors import GatewayError
from gateway.reading.shapes import nearest

_HEADS: Final = ("TOOL", "CLASS", "LEVEL", "RECOMMENDED")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "catalog",
        help="show how risky BinAssistMCP's tools are, and a policy for each",
        description="Show how risky BinAssistMCP's tools are, and a policy for each. For another server, or another "
        "version of it, see `gateway scan`.",
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="all tools in a table")
    shown = actions.add_parser("show", help="one tool, with the reasons and the policy")
    shown.add_argument("tool", metavar="TOOL")
    for action in (listed, shown):
        action.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Print the table or the tool. Returns 0; GatewayError for a tool that is not known."""
    known = {classification.tool: classification for classification in survey(binassist.TOOLS)}
    paint = Paint(sys.stdout)
    if args.action == "list":
        print(as_json([facts(one) for one in known.values()]) if args.json else table(list(known.values()), paint))
        return 0
    if args.tool not in known:
        missing = f"BinAssistMCP has no tool {args.tool!r}, see `gateway catalog list`{nearest(args.tool, known)}"
        raise GatewayError(missing)
    print(as_json(facts(known[args.tool])) if args.json else _page(known[args.tool], paint))
    return 0


def table(classifications: list[Classification], paint: Paint) -> str:
    """One line for each tool."""
    rows = [_HEADS, *(_row(classification) for classification in classifications)]
    return columns(rows, ["bold", *(classification.level for classification in classifications)], paint)


def facts(classification: Classification) -> dict[str, Any]:
    """All that is known of a tool, with its recommended policy, as plain data."""
    known: dict[str, Any] = msgspec.to_builtins(classification)
    return known | {"recommended": tool_policy(classification)}


def _row(classification: Classification) -> tuple[str, str, str, str]:
    said = sentence(classification).removeprefix(f"{classification.tool}: ")
    return classification.tool, classification.risk, classification.level, said


def _page(classification: Classification, paint: Paint) -> str:
    reasons: list[tuple[str, str]] = [(piece.source, piece.text) for piece in classification.evidence]
    attacks = [(name, ATTACKS[name]) for name in classification.attacks]
    risk = paint(f"{classification.risk}, {classification.level}", classification.level)
    parts = [
        f"{paint(classification.tool, 'bold')}: {risk}",
        *(_switch(switch) for switch in classification.switches),
        _section("Why", reasons, paint),
        *([_section("What goes wrong", attacks, paint)] if attacks else []),
        f"{paint('Recommended policy', 'bold')}\n  {sentence(classification)}",
        as_json(tool_policy(classification)),
    ]
    return "\n\n".join(parts)


def _switch(switch: Switch) -> str:
    values = [f"{as_json(value.value)} {value.risk}, {value.level}" for value in switch.values]
    return f"By {switch.path}: {'; '.join(values)}"


def _section(head: str, rows: list[tuple[str, str]], paint: Paint) -> str:
    lines = columns([("", *row) for row in rows], ["dim"] * len(rows), paint)
    return f"{paint(head, 'bold')}\n{lines}"
