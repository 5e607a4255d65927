"""`gateway scan`: lists a live server's tools, classifies them, and writes a policy to begin with."""

import argparse
import sys
from pathlib import Path

from gateway.catalog.documents import policy_text
from gateway.catalog.layout import as_json
from gateway.catalog.recommend import is_nameable, server_policy
from gateway.catalog.risk import Classification, RiskClass
from gateway.catalog.styles import STYLES, StyleName
from gateway.catalog.survey import survey
from gateway.cli.catalog import facts, table
from gateway.cli.listing import server_at, tools_of
from gateway.cli.terminal import Paint
from gateway.cli.tool_source import add_upstream_details
from gateway.documents import format_of, read_document
from gateway.errors import GatewayError
from gateway.policy.load import load_policy


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "scan",
        help="write a policy for a live server",
        description="List a live server's tools, judge how risky each one is, and write a policy to begin with: "
        "JSON, or YAML with a comment on every tool. No tool is called.",
    )
    parser.add_argument("--upstream", required=True, metavar="URL", help="the server's MCP endpoint")
    add_upstream_details(parser)
    parser.add_argument(
        "--style",
        choices=list(STYLES),
        default="balanced",
        help="strict: what executes asks a human, what destroys is denied; balanced: both are milder by one step; "
        "watch: everything passes, and what balanced would refuse is recorded (default: %(default)s)",
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="a new .json or .yaml file; without it YAML is printed"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")


def run(args: argparse.Namespace) -> int:
    """Scan, and write or print. Returns 0; GatewayError when the server cannot be listed or FILE is there already."""
    format = format_of(args.output.name) if args.output else "yaml"
    if format == "toml":
        raise GatewayError(f"{args.output}: a policy is JSON or YAML; let the name end in .json or .yaml")
    classifications = survey(tools_of(server_at(args.upstream, args.transport, args.header)))
    policy = server_policy(classifications, args.style, _description(args.upstream, classifications, args.style))
    text = policy_text(policy, classifications, args.style, format)
    # What is written is what the gateway takes, whatever the server has called its tools.
    load_policy(read_document(text, str(args.output or "the policy"), format))
    if args.output:
        _write(args.output, text, is_forced=args.force)
    if args.json:
        print(as_json({"server": args.upstream, "tools": [facts(one) for one in classifications], "policy": policy}))
    elif args.output:
        print(table(list(classifications), Paint(sys.stdout)) if classifications else "The server lists no tools.")
        print(f"\nwrote {args.output}: {_count(classifications)}, style {args.style}")
    else:
        print(text, end="")
    return 0


def _description(url: str, classifications: tuple[Classification, ...], style: StyleName) -> str:
    left_out = sum(not is_nameable(classification.tool) for classification in classifications)
    text = f"Made by `gateway scan` for {url}, style {style}: {_count(classifications)}."
    return f"{text} {left_out} of them cannot be named by a rule and are left out." if left_out else text


def _count(classifications: tuple[Classification, ...]) -> str:
    of_class = [(sum(one.risk is risk for one in classifications), risk) for risk in RiskClass]
    counts = ", ".join(f"{number} {risk}" for number, risk in of_class if number)
    return f"{len(classifications)} tools ({counts})" if counts else "no tools"


def _write(path: Path, text: str, *, is_forced: bool) -> None:
    # Readable by all, for it holds no secret; writable by its owner alone, or the gateway would not read it.
    try:
        with path.open("w" if is_forced else "x", encoding="utf-8") as file:
            path.chmod(0o644)
            file.write(text)
    except FileExistsError:
        raise GatewayError(f"{path}: is there already; choose another name, or replace it with --force") from None
    except OSError as error:
        raise GatewayError(f"{path}: cannot be written: {error.strerror}") from None
