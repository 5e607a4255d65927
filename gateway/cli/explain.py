"""`gateway explain`: says why a call is decided as it is: every step, the rule that decides, where each limit stands.

It looks at the counters of a gateway without touching them: nothing is spent, and no gateway need run.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from gateway.cli import tool_source
from gateway.cli.explained import as_plain, as_table
from gateway.cli.recorded import explain_record, find_decision
from gateway.cli.sources import read_policy, read_text
from gateway.cli.terminal import Paint
from gateway.clock import Clock, SystemClock
from gateway.config import Config, Grant, load_config
from gateway.documents import read_document
from gateway.errors import GatewayError, StateError
from gateway.policy.budget import Budget
from gateway.policy.decision import Call, Decision, Kind
from gateway.policy.engine import NO_POLICY, Engine, Judge
from gateway.policy.explain import Explanation, explain
from gateway.policy.memory_budget import MemoryBudget
from gateway.policy.schemas import SchemaSource
from gateway.policy.tables import compile_policy
from gateway.proxy.budget import GrantBudget
from gateway.proxy.in_flight import InFlight
from gateway.reading.shapes import nearest
from gateway.store.counters import CounterStore, read_boot_id
from gateway.visible import visible

_FILE_MARK: Final = "@"


class _Looked(msgspec.Struct, frozen=True):
    """What a call is looked at with."""

    subject: dict[str, str]
    """Whose policy it is, for people."""
    judge: Judge
    budget: Budget
    notes: list[str] = []
    """What is not known."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "explain",
        help="say why a call is decided as it is",
        description="Say why a call is decided as it is: every step of the evaluation in order, the rule that "
        "decides, and where each limit stands now. Nothing is spent.",
    )
    parser.add_argument("target", metavar="TOOL", nargs="?", help="the tool that is called")
    parser.add_argument(
        "--decision", metavar="ID", help="instead of TOOL: a decision that was recorded, by the id that the agent got"
    )
    parser.add_argument(
        "--kind", choices=[kind.name.lower() for kind in Kind], default="tool", help="of TOOL (default: %(default)s)"
    )
    parser.add_argument(
        "--args", metavar="JSON", default="{}", help="the arguments, or @FILE with them (default: none)"
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path("gateway.yaml"),
        help="the gateway whose policy and counters are looked at (default: %(default)s)",
    )
    where.add_argument("--policy", type=Path, metavar="FILE", help="a policy by itself, with nothing spent yet")
    parser.add_argument("--grant", metavar="LABEL", help="whose call it is; needed unless there is one grant only")
    parser.add_argument("--session", metavar="ID", help="the session it is made in, for limits of that scope")
    parser.add_argument("--approved", action="store_true", help="as if a person had approved it")
    tool_source.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Print the explanation. Returns 0 whatever the verdict; GatewayError for what cannot be looked at."""
    if (args.target is None) is (args.decision is None):
        raise GatewayError("explain: name the TOOL that is called, or a --decision that was recorded")
    schemas = tool_source.schemas_of(tool_source.tools_from(args))
    if args.decision is not None:
        return _explain_recorded(args, schemas)
    kind = next(kind for kind in Kind if kind.name.lower() == args.kind)
    call = Call(kind, args.target, arguments_from(args.args), args.approved)
    clock = SystemClock()
    if args.policy is not None:
        looked = _of_policy(args, schemas)
    else:
        looked = _of_config(load_config(args.config), call, args, schemas, clock)
    explanation = explain(looked.judge, call, looked.budget, clock.monotonic_ns(), clock.wall_ns())
    _print(explanation, {**looked.subject, "revision": looked.judge.revision}, looked.notes, as_json=args.json)
    return 0


def _explain_recorded(args: argparse.Namespace, schemas: SchemaSource) -> int:
    config = load_config(args.config)
    record = find_decision(config.state_dir / "audit", args.decision)
    found = explain_record(record, [Engine(compile_policy(policy, schemas)) for policy in config.policies.values()])
    subject = {name: str(record.get(name, "")) for name in ("id", "time", "grant", "server", "target", "policy")}
    _print(found.explanation, {**subject, "revision": record.get("revision", "")}, found.notes, as_json=args.json)
    return 0


def _print(explanation: Explanation, subject: dict[str, str], notes: list[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**subject, **as_plain(explanation), "notes": notes}, indent=2))
        return
    print(as_table(explanation, Paint(sys.stdout)))
    print("\n" + ", ".join(f"{name} {visible(value)}" for name, value in subject.items() if value))
    for note in notes:
        print(f"note: {note}")


def arguments_from(text: str) -> dict[str, Any]:
    """The arguments that `--args` gives: JSON, or `@FILE` that has it. Raises GatewayError."""
    source = "--args"
    if text.startswith(_FILE_MARK):
        source = text[1:]
        text = read_text(Path(source))
    document = read_document(text, source, "json")
    if not isinstance(document.value, dict):
        raise GatewayError(f'{source}: the arguments of a call are an object, as in \'{{"name": "main"}}\'')
    return document.value


def _of_policy(args: argparse.Namespace, schemas: SchemaSource) -> _Looked:
    engine = Engine(compile_policy(read_policy(args.policy), schemas))
    budget = MemoryBudget(engine.policy.counters).in_session(args.session)
    return _Looked({"policy": str(args.policy)}, engine, budget)


def _of_config(config: Config, call: Call, args: argparse.Namespace, schemas: SchemaSource, clock: Clock) -> _Looked:
    grant = _grant(config, args.grant)
    subject = {"grant": grant.label, "server": grant.server, "policy": grant.policy or ""}
    if grant.policy is None:
        return _Looked(subject, NO_POLICY, MemoryBudget(()))
    engine = Engine(compile_policy(config.policies[grant.policy], schemas))
    counters = engine.policy.counters
    notes = ["calls in flight are not known from outside: taken as none"] if _holds(engine, call) else []
    try:
        store = CounterStore.copy(config.state_dir / "counters", clock, boot_id=read_boot_id())
    except StateError as error:
        if counters:
            notes.append(f"the counters cannot be read, so it is as if nothing had been spent: {error}")
        budget = MemoryBudget(counters, grant=grant.label).in_session(args.session)
        return _Looked(subject, engine, budget, notes)
    spent = GrantBudget(store, InFlight(), grant.server, grant.policy, grant.label, counters)
    return _Looked(subject, engine, spent.in_session(args.session, clock.monotonic_ns()), notes)


def _holds(engine: Engine, call: Call) -> bool:
    table = engine.policy.entry_of(call.kind, call.target).judge
    return not isinstance(table, Decision) and bool(table.holds)


def _grant(config: Config, label: str | None) -> Grant:
    labels = {grant.label: grant for grant in config.grants}
    if label is None:
        if len(labels) != 1:
            raise GatewayError(f"--grant: whose call? {config.source} has {', '.join(labels) or 'no grants'}")
        return next(iter(labels.values()))
    if label not in labels:
        raise GatewayError(f"--grant: {config.source} has no grant {label}{nearest(label, labels)}")
    return labels[label]
