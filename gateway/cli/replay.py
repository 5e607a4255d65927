"""`gateway replay`: what a draft of a policy would have made of the calls in the audit journal."""

import argparse
import collections
import json
import sys
from pathlib import Path
from typing import Any, Final

from gateway.audit.event import utc_text
from gateway.audit.reader import records
from gateway.cli import tool_source
from gateway.cli.past_calls import PastEnd, past_calls
from gateway.cli.sources import read_policy
from gateway.cli.terminal import Paint, columns
from gateway.clock import SystemClock
from gateway.config import load_config
from gateway.errors import GatewayError
from gateway.policy.replay import Judgement, Replay
from gateway.policy.tables import compile_policy
from gateway.reading.scalars import duration_ns, instant_ns, instant_text
from gateway.visible import visible

_HEADS: Final = ("TIME", "GRANT", "TARGET", "THEN", "NOW", "RULE")
_UNDECIDABLE: Final = "undecidable"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "replay",
        help="judge the calls of the audit journal by a draft of a policy",
        description="Judge the calls of the audit journal again, by a draft of a policy, and show whose verdict would "
        "have been another. What cannot be told from what was recorded is reported as undecidable.",
    )
    parser.add_argument("--policy", type=Path, required=True, metavar="DRAFT", help="the policy to judge by")
    parser.add_argument(
        "--since", metavar="WHEN", default="24h", help="24h, 7d, or a time such as 2026-11-22T00:00:00Z (default: 24h)"
    )
    parser.add_argument("--replaces", metavar="NAME", help="only the calls that the policy of this name has judged")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path("gateway.yaml"),
        help="the gateway whose journal is read (default: %(default)s)",
    )
    where.add_argument("--journal", type=Path, metavar="DIR", help="the journal itself: STATE/audit, or a copy of it")
    tool_source.add_arguments(parser)
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def run(args: argparse.Namespace) -> int:
    """Print what would have changed. Returns 0 whether anything would; GatewayError for what cannot be read."""
    since = utc_text(_since_ns(args.since, SystemClock().wall_ns()))
    directory = args.journal or load_config(args.config).state_dir / "audit"
    if not directory.is_dir():
        raise GatewayError(f"{directory}: there is no journal; name the --config of a gateway, or its --journal")
    schemas = tool_source.schemas_of(tool_source.tools_from(args))
    replay = Replay(compile_policy(read_policy(args.policy), schemas))
    judged: list[Judgement] = []
    for past in past_calls(records(directory, since=since), policy=args.replaces):
        if isinstance(past, PastEnd):
            replay.end(past.id, rolled_back=past.rolled_back)
        else:
            judged.append(replay.judge(past))
    print(json.dumps(_plain(judged), indent=2) if args.json else _text(judged, Paint(sys.stdout)))
    return 0


def _since_ns(text: str, now_ns: int) -> int:
    try:
        return now_ns - duration_ns(text)
    except ValueError:
        pass
    try:
        return instant_ns(text)
    except ValueError as error:
        raise GatewayError(f"--since: {error}; or a duration, such as 24h or 7d") from None


def _told(judged: list[Judgement]) -> list[Judgement]:
    """Those that are changed, or that cannot be decided."""
    return [each for each in judged if each.is_changed or each.verdict is None]


def _plain(judged: list[Judgement]) -> dict[str, Any]:
    told = _told(judged)
    calls = [
        {
            "id": each.call.id,
            "time": utc_text(each.call.time_ns),
            "server": each.call.server,
            "grant": each.call.grant,
            "kind": each.call.kind.name.lower(),
            "target": each.call.target,
            "then": {"verdict": str(each.call.verdict), "rule": each.call.rule},
            "now": None if each.verdict is None else {"verdict": str(each.verdict), "rule": each.rule},
            "unknown": each.unknown,
        }
        for each in told
    ]
    sums = {"rule": _sums(told, "rule"), "grant": _sums(told, "grant"), "target": _sums(told, "target")}
    return {**_counts(judged), "sums": sums, "calls": calls}


def _text(judged: list[Judgement], paint: Paint) -> str:
    told = _told(judged)
    counts = _counts(judged)
    summary = (
        f"{counts['judged']} calls judged: {counts['same']} the same, {counts['changed']} changed, "
        f"{counts['undecidable']} undecidable"
    )
    if not told:
        return summary
    lines = [columns([_HEADS, *map(_row, told)], ["bold", *(None for _ in told)], paint), ""]
    for name in ("rule", "grant", "target"):
        found = ", ".join(f"{visible(key)} {count}" for key, count in _sums(told, name).items())
        lines.append(f"by {name}: {found}")
    return "\n".join([*lines, summary])


def _row(each: Judgement) -> tuple[str, ...]:
    call = each.call
    now, why = (
        (str(each.verdict), each.rule) if each.verdict else (_UNDECIDABLE, "not known: " + ", ".join(each.unknown))
    )
    return instant_text(call.time_ns), call.grant, call.target or "", str(call.verdict), now, why


def _counts(judged: list[Judgement]) -> dict[str, int]:
    changed = sum(each.is_changed for each in judged)
    undecidable = sum(each.verdict is None for each in judged)
    same = len(judged) - changed - undecidable
    return {"judged": len(judged), "same": same, "changed": changed, "undecidable": undecidable}


def _sums(told: list[Judgement], name: str) -> dict[str, int]:
    """How many of these have each value, the most frequent first."""
    values = {
        "rule": lambda each: each.rule or _UNDECIDABLE,
        "grant": lambda each: each.call.grant,
        "target": lambda each: each.call.target or "",
    }
    return dict(collections.Counter(map(values[name], told)).most_common())
