"""`gateway approvals`: shows what waits for a person, and takes the decision.

Works on the state directory itself, whether a gateway runs there or not: a running one notices within a second.
"""

import argparse
import getpass
import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

import orjson

from gateway.clock import SystemClock
from gateway.config import load_config
from gateway.errors import GatewayError
from gateway.reading import scalars
from gateway.reading.scalars import instant_text
from gateway.store import database
from gateway.store.approval import Approval, State
from gateway.store.approvals import MIN_PREFIX, Approvals
from gateway.store.database import Database
from gateway.visible import misleading, visible

_MAX_REASON: Final = 500
_MAX_CELL: Final = 40


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("approvals", help="decide on calls that wait for approval")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = _action(actions, "list", "what waits for a decision")
    listing.add_argument(
        "--state", choices=[*State, "any"], default=State.PENDING, help="in which state (default: %(default)s)"
    )
    _action(actions, "show", "one approval with the whole call, hidden characters made visible", takes_id=True)
    for name, summary in (("approve", "let the call through, once"), ("deny", "refuse the call")):
        action = _action(actions, name, summary, takes_id=True)
        action.add_argument("--reason", metavar="TEXT", default="", help="recorded; for a denial also told the agent")
        action.add_argument("--as", dest="approver", metavar="NAME", help="who decides (default: the system's user)")


def run(args: argparse.Namespace) -> int:
    """Show or decide. Returns 0; GatewayError when there is no such approval, or nothing to decide about it."""
    directory = args.state_dir or load_config(args.config).state_dir
    path = directory / database.FILE_NAME
    if not path.is_file():
        raise GatewayError(f"{path}: no gateway has run here yet; name its --config or its --state-dir")
    opened = Database.open(path)
    try:
        print(_run(args, Approvals(opened), SystemClock().wall_ns()))
    finally:
        opened.close()
    return 0


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, *, takes_id: bool = False
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.")
    if takes_id:
        parser.add_argument("id", metavar="ID", help=f"its id, or the first {MIN_PREFIX} characters or more of it")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path("gateway.yaml"),
        help="the gateway's configuration, which names its state directory (default: %(default)s)",
    )
    where.add_argument("--state-dir", type=Path, metavar="DIR", help="the state directory itself")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    return parser


def _run(args: argparse.Namespace, approvals: Approvals, now_ns: int) -> str:
    """What to print."""
    match args.action:
        case "list":
            found = approvals.listed(None if args.state == "any" else State(args.state), now_ns)
            return _json([approval.to_json() for approval in found]) if args.json else _table(found, args.state)
        case "show":
            return _shown(approvals.find(args.id, now_ns), as_json=args.json, show=_details)
        case "approve" | "deny" as action:
            state = State.APPROVED if action == "approve" else State.DENIED
            decided = approvals.decide(
                args.id, state, approver=_approver(args.approver), reason=_reason(args.reason), now_ns=now_ns
            )
            return _shown(decided, as_json=args.json, show=_decided)
        case _:
            raise AssertionError(f"an action that the parser does not know: {args.action}")


def _approver(written: str | None) -> str:
    try:
        return scalars.label(getpass.getuser() if written is None else written)
    except (OSError, KeyError):
        raise GatewayError("--as: the system has no name for this user; say who decides") from None
    except ValueError as error:
        raise GatewayError(f"--as: {error}") from None


def _reason(text: str) -> str:
    if len(text) > _MAX_REASON:
        raise GatewayError(f"--reason: longer than {_MAX_REASON} characters; say it in fewer")
    return text.strip()


def _shown(approval: Approval, *, as_json: bool, show: Callable[[Approval], str]) -> str:
    return _json(approval.to_json()) if as_json else show(approval)


def _json(value: object) -> str:
    # ASCII alone, so that nothing hides from whoever looks at it without a program.
    return json.dumps(value, indent=2)


def _table(approvals: list[Approval], state: str) -> str:
    if not approvals:
        return "No approvals." if state == "any" else f"No approvals are {state}."
    rows = [("ID", "STATE", "GRANT", "SERVER", "TOOL", "ASKED", "EXPIRES")]
    for approval in approvals:
        call = approval.call
        times = (instant_text(approval.asked_ns), instant_text(approval.expires_ns))
        grant, server, tool = map(_cell, (call.grant, call.server, call.tool))
        rows.append((approval.id, approval.state.value, grant, server, tool, *times))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
    return "\n".join(lines)


def _cell(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= _MAX_CELL else f"{shown[: _MAX_CELL - 1]}…"


def _details(approval: Approval) -> str:
    call = approval.call
    arguments = json.dumps(orjson.loads(call.arguments), indent=2, ensure_ascii=False)
    hidden = misleading(call.tool) + misleading(arguments, keep="\n")
    warning = f", {hidden} misleading or invisible characters shown as \\u{{…}}" if hidden else ""
    decided = f" by {visible(approval.approver)}" if approval.approver else ""
    reason = f": {visible(approval.reason)}" if approval.reason else ""
    lines = [
        f"approval   {approval.id}",
        f"state      {approval.state}{decided}{reason}",
        f"grant      {visible(call.grant)}",
        f"server     {visible(call.server)}",
        f"tool       {visible(call.tool)}",
        f"policy     {visible(approval.policy)}, revision {call.revision}",
        f"rule       {visible(approval.rule)}",
        f"asked      {instant_text(approval.asked_ns)}, audit record {approval.exchange}",
        f"expires    {instant_text(approval.expires_ns)}",
        f"arguments  {len(call.argument_keys)} named, {len(call.arguments.encode())} bytes{warning}",
        "",
        # Line breaks of the layout are the only ones: those within a string are escaped by JSON.
        visible(arguments, keep="\n"),
    ]
    return "\n".join(lines)


def _decided(approval: Approval) -> str:
    call = approval.call
    what = f"{visible(call.tool)} of {visible(call.grant)} on {visible(call.server)}"
    if approval.state is State.APPROVED:
        expires = instant_text(approval.expires_ns)
        return f"{approval.id} is approved by {approval.approver}: {what} may run once, until {expires}."
    return f"{approval.id} is denied by {approval.approver}: {what} is refused."
