"""`gateway check FILE…`: says all that is wrong with policies and configurations, or that nothing is.

With `--print` it shows the version-1 form of the policies instead.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import assert_never

import msgspec

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


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "check",
        help="check policies and configurations",
        description="Check policies and configurations: exit code 0 if the gateway would accept all of them.",
    )
    parser.add_argument(
        "--print",
        action="store_true",
        dest="prints",
        help="print each policy in version 1 as JSON; of a configuration, its policies by their names",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a policy or a configuration; - reads standard input")


def run(args: argparse.Namespace) -> int:
    """Check every file; problems go to stderr, one a line. Returns 0 if there are none, else 1."""
    passed = [_passes(name, prints=args.prints) for name in args.files]
    return 0 if all(passed) else 1


def _passes(name: str, *, prints: bool) -> bool:
    try:
        checked = _check(name, _read(name))
        print(_forms(checked) if prints else f"ok: {name}: {_summary(checked)}")
    except DocumentError as error:
        print(error, file=sys.stderr)
        return False
    return True


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
        config = build_config(document, Path()) if name == _STDIN else load_config(Path(name))
        for warning in config.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        return config
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
