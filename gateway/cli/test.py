"""`gateway test POLICY CASES`: runs golden cases against a policy, and says what is not as expected."""

import argparse
import sys
from pathlib import Path

from gateway.cli import junit, tool_source
from gateway.cli.explained import step_text
from gateway.cli.sources import read_plain, read_policy
from gateway.errors import DocumentError, GatewayError
from gateway.policy.cases import Cases, Outcome, load_cases, run_case
from gateway.policy.model import Policy
from gateway.policy.schemas import SchemaSource
from gateway.visible import visible


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "test",
        help="run golden cases against a policy",
        description="Run golden cases against a policy: calls one after another, and what is expected of each. "
        "Exit code 0 if all is as expected. Time is the cases' own, so nothing waits.",
    )
    parser.add_argument("policy", type=Path, metavar="POLICY", help="the policy under test")
    parser.add_argument("cases", type=Path, nargs="+", metavar="CASES", help="files of cases (docs/authoring.md)")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write the results there as JUnit XML, for a CI")
    tool_source.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Run every case. Returns 0 if all is as expected, else 1; GatewayError for a policy or file that is wrong."""
    policy = read_policy(args.policy)
    schemas = tool_source.schemas_of(tool_source.tools_from(args))
    results = [result for path in args.cases for result in _run_file(load_cases(read_plain(path)), policy, schemas)]
    if args.junit is not None:
        _write(args.junit, junit.report(results))
    failed = [result for result in results if result.failures]
    for result in failed:
        print("\n".join([f"FAILED {visible(result.name)}", *result.failures]), file=sys.stderr)
    calls = sum(result.calls for result in results)
    print(f"{len(results) - len(failed)} of {len(results)} cases passed, {calls} calls")
    return 1 if failed else 0


def _run_file(cases: Cases, policy: Policy, schemas: SchemaSource) -> list[junit.CaseResult]:
    return [_run_case(cases, index, policy, schemas) for index in range(len(cases.cases))]


def _run_case(cases: Cases, index: int, policy: Policy, schemas: SchemaSource) -> junit.CaseResult:
    failures: list[str] = []
    calls = 0
    try:
        for outcome in run_case(cases, index, policy, schemas):
            calls += 1
            failures += _failures(outcome)
    except DocumentError as error:
        failures.append(f"  {error}")
    return junit.CaseResult(cases.document.source, cases.cases[index].name, calls, tuple(failures))


def _failures(outcome: Outcome) -> list[str]:
    """What is not as expected of one call, and the step that decided it."""
    lines = [
        f"  {outcome.place}: {mismatch.what}: expected {_shown(mismatch.expected)}, got {_shown(mismatch.got)}"
        for mismatch in outcome.mismatches
    ]
    if lines:
        decisive = outcome.explanation.decisive
        step = step_text(decisive) if decisive else f"every step passes; allowed by {outcome.decision.rule}"
        lines.append(f"    decided by {visible(step)}")
    return lines


def _shown(value: object) -> str:
    return visible(value if isinstance(value, str) else str(value))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise GatewayError(f"--junit: {path} cannot be written: {error.strerror}") from None
