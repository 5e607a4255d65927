"""`gateway check FILE…`: says all that is wrong with policies and configurations, or that nothing is.

What is unwise it says as warnings. With `--print` it shows the version-1 form of the policies instead.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import assert_never

import msgspec

from gateway.cli import tool_source
from gateway.cli.lints import unwise
from gateway.config import Config, build_config, load_config
from gateway.documents import Document, format_of, read_document
from gateway.errors import DocumentError, Problem
from gateway.policy.dialect import is_policy
from gateway.policy.load import load_policy, version_1
from gateway.policy.model import Policy
from gateway.source_files import read_source

_STDIN = "-"
_STDIN_NAME = "<stdin>"
_CONFIG_FIELDS = {"servers", "policies", "grants"}


class _Checked(msgspec.Struct, frozen=True):
    """What came of one file."""

    file: str
    summary: str
    """Empty where there are problems."""
    printed: str = ""
    """The version-1 form."""
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "check",
        help="check policies and configurations",
        description="Check policies and configurations: exit code 0 if the gateway would accept all of them. What is "
        "unwise is a warning; with the server's tools more of it is found.",
    )
    parser.add_argument(
        "--print",
        action="store_true",
        dest="prints",
        help="print each policy in version 1 as JSON; of a configuration, its policies by their names",
    )
    parser.add_argument("--strict", action="store_true", help="exit with 1 for warnings too")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    tool_source.add_arguments(parser)
    parser.add_argument("files", nargs="+", metavar="FILE", help="a policy or a configuration; - reads standard input")


def run(args: argparse.Namespace) -> int:
    """Check every file; problems and warnings go to stderr, one a line. Returns 0 if there are no problems, else 1.

    Raises GatewayError when the server's tools cannot be had.
    """
    tools = tool_source.tools_from(args)
    results = [_examine(name, tools) for name in args.files]
    if args.json:
        print(json.dumps([_as_plain(result) for result in results], indent=2))
    else:
        for result in results:
            _show(result, prints=args.prints)
    is_bad = any(result.problems or (args.strict and result.warnings) for result in results)
    return 1 if is_bad else 0


def _examine(name: str, tools: tool_source.Tools | None) -> _Checked:
    try:
        checked = _check(name, _read(name))
    except DocumentError as error:
        return _Checked(name, "", problems=error.problems)
    warnings = [Problem("", text) for text in checked.warnings] if isinstance(checked, Config) else []
    return _Checked(name, _summary(checked), _forms(checked), warnings=(*warnings, *unwise(checked, name, tools)))


def _show(result: _Checked, *, prints: bool) -> None:
    for problem in result.problems:
        print(problem, file=sys.stderr)
    for warning in result.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if not result.problems:
        print(result.printed if prints else f"ok: {result.file}: {result.summary}")


def _as_plain(result: _Checked) -> dict[str, object]:
    return {
        "file": result.file,
        "ok": not result.problems,
        "summary": result.summary,
        "problems": msgspec.to_builtins(result.problems),
        "warnings": msgspec.to_builtins(result.warnings),
    }


def _read(name: str) -> Document:
    if name != _STDIN:
        return read_document(read_source(Path(name)).text, name, format_of(name))
    try:
        text = sys.stdin.buffer.read().decode("utf-8")
    except UnicodeDecodeError as error:
        problem = Problem(place=_STDIN_NAME, message=f"is not UTF-8 (byte {error.start})")
        raise DocumentError([problem]) from None
    return read_document(text, _STDIN_NAME, "json" if text.lstrip().startswith("{") else "yaml")


def _check(name: str, document: Document) -> Config | Document:
    """What a document that is right says, a policy in version 1; raises DocumentError for one that is not."""
    if isinstance(document.value, dict) and _CONFIG_FIELDS & document.value.keys():
        return build_config(document, Path()) if name == _STDIN else load_config(Path(name))
    if is_policy(document.value):
        return version_1(document)
    message = "neither a policy (it has `version`) nor a configuration of the gateway (it has `servers`)"
    raise DocumentError([document.problem((), message)])


def _forms(checked: Config | Document) -> str:
    """The version-1 form of a policy, or of each policy of a configuration, as its `policies` takes them."""
    match checked:
        case Config(policies=policies):
            value: object = {name: msgspec.to_builtins(policy) for name, policy in policies.items()}
        case Document():
            value = checked.value
        case _:
            assert_never(checked)
    return json.dumps(value, indent=2, ensure_ascii=False)


def _summary(checked: Config | Document) -> str:
    match checked:
        case Config():
            return _config_summary(checked)
        case Document():
            return _policy_summary(load_policy(checked))
        case _:
            assert_never(checked)


def _config_summary(config: Config) -> str:
    counts = (
        (config.servers, "server", "servers"),
        (config.policies, "policy", "policies"),
        (config.grants, "grant", "grants"),
    )
    return ", ".join(_count(len(things), one, many) for things, one, many in counts)


def _policy_summary(policy: Policy) -> str:
    limits = len(policy.all_tools.limits) + sum(len(rules.limits) for rules in policy.tools.values())
    tools = _count(len(policy.tools), "tool", "tools")
    return f"default {policy.default}, {tools}, {_count(limits, 'limit', 'limits')}"


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
