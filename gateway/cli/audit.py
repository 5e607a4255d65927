"""`gateway audit`: what the journal says, to people on a terminal and as JSON lines to programs, and if it is true.

Works on the state directory itself, whether a gateway runs there or not, and changes nothing but the view of it.
"""

import argparse
import collections
import contextlib
import sys
from pathlib import Path
from time import sleep
from typing import Any, Final

import msgspec

from gateway.audit import export, reader
from gateway.audit.anchor import make_anchor
from gateway.audit.chain import Seal
from gateway.audit.event import utc_text
from gateway.audit.index import Index, Question
from gateway.audit.segment import KEY_NAME
from gateway.audit.verify import Anchor, Report, read_anchors, verify
from gateway.cli import audit_lines
from gateway.clock import SystemClock
from gateway.config import load_config
from gateway.errors import GatewayError
from gateway.reading import scalars
from gateway.store.keys import read_key

_FOLLOW_S: Final = 0.5
_VERDICTS: Final = ("allow", "deny", "throttle", "pending", "error")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("audit", help="read, search and verify the audit journal")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    tail = _action(actions, "tail", "the last records")
    tail.add_argument(
        "-n", dest="most", type=_positive, metavar="N", default=20, help="how many (default: %(default)s)"
    )
    tail.add_argument("-f", dest="follow", action="store_true", help="go on with what is written from now on")
    search = _action(actions, "search", "records by what is in them, the newest first to be found")
    _add_question(search)
    search.add_argument(
        "-n", dest="most", type=_positive, metavar="N", default=1000, help="at most so many (default: %(default)s)"
    )
    show = _action(actions, "show", "everything about one exchange or approval")
    show.add_argument("id", metavar="ID", help="its id, as in the answer that the agent got")
    _add_question(_action(actions, "stats", "how many decisions, by verdict, grant, tool and rule"), filters=False)
    check = _action(actions, "verify", "whether the journal is what was written; exit code 1 if not", json=False)
    check.add_argument(
        "--anchor",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="checkpoints that were kept elsewhere: the output of `gateway audit anchor`, or the gateway's log",
    )
    _action(actions, "anchor", "a signed line about how far the journal has come, to be kept elsewhere", json=False)
    exporting = _action(actions, "export", "records for other programs", json=False)
    exporting.add_argument("--format", choices=export.FORMATS, default="jsonl", help="(default: %(default)s)")
    _add_question(exporting, filters=False)


def run(args: argparse.Namespace) -> int:
    """Show, export or verify. Returns 0, and 1 when nothing was found or the journal is not what was written."""
    state_dir = args.state_dir or load_config(args.config).state_dir
    directory = state_dir / "audit"
    if not directory.is_dir():
        raise GatewayError(f"{directory}: no gateway has run here yet; name its --config or its --state-dir")
    return _run(args, state_dir, directory)


def _run(args: argparse.Namespace, state_dir: Path, directory: Path) -> int:
    match args.action:
        case "tail":
            return _tail(args, directory)
        case "verify":
            return _verify(directory, _seal(state_dir), args.anchor)
        case "anchor":
            print(make_anchor(directory, _seal(state_dir), SystemClock()))
            return 0
        case "export":
            return _export(args, directory)
        case _:
            return _ask(args, directory)


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, summary: str, *, json: bool = True
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path("gateway.yaml"),
        help="the gateway's configuration, which names its state directory (default: %(default)s)",
    )
    where.add_argument("--state-dir", type=Path, metavar="DIR", help="the state directory itself")
    if json:
        parser.add_argument("--json", action="store_true", help="print JSON lines, as when the output is no terminal")
    return parser


def _add_question(parser: argparse.ArgumentParser, *, filters: bool = True) -> None:
    parser.add_argument("--since", metavar="WHEN", help="from then on: 24h (ago), or 2027-06-30T00:00:00Z")
    parser.add_argument("--until", metavar="WHEN", help="before then")
    if filters:
        parser.add_argument("--grant", metavar="LABEL", default="", help="of this grant")
        parser.add_argument("--tool", metavar="NAME", default="", help="of this tool, resource, prompt or task")
        parser.add_argument("--verdict", choices=_VERDICTS, default="", help="with this verdict")
        parser.add_argument("--rule", metavar="PART", default="", help="with this in the name of the rule")
        parser.add_argument("--id", metavar="ID", default="", help="of this exchange or approval")
        parser.add_argument("--text", metavar="TEXT", default="", help="with this anywhere, in large or small letters")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number


def _question(args: argparse.Namespace) -> Question:
    if args.action == "show":
        return Question(id=args.id)
    named: dict[str, Any] = {
        name: getattr(args, name) for name in Question.__struct_fields__ if getattr(args, name, None)
    }
    times: dict[str, Any] = {name: _instant(name, named[name]) for name in ("since", "until") if name in named}
    return Question(**named | times)


def _instant(option: str, text: str) -> str:
    """The time that an option names, as records have it."""
    try:
        if text[:5].endswith("-"):
            return utc_text(scalars.instant_ns(text))
        return utc_text(SystemClock().wall_ns() - scalars.duration_ns(text))
    except ValueError as error:
        raise GatewayError(f"--{option}: {error}") from None


def _is_for_people(args: argparse.Namespace) -> bool:
    return sys.stdout.isatty() and not args.json


def _tail(args: argparse.Namespace, directory: Path) -> int:
    show = audit_lines.coloured if _is_for_people(args) else audit_lines.as_json
    follower = reader.Follower(directory)
    for record in collections.deque(follower.new(), maxlen=args.most):
        print(show(record))
    while args.follow:
        sys.stdout.flush()
        sleep(_FOLLOW_S)
        for record in follower.new():
            print(show(record))
    return 0


def _ask(args: argparse.Namespace, directory: Path) -> int:
    question = _question(args)
    with contextlib.closing(Index.open(directory)) as index:
        if args.action == "stats":
            print(audit_lines.statistics(index, question, as_json=not _is_for_people(args)))
            return 0
        lines = index.search(question)
    if not lines:
        print("nothing found", file=sys.stderr)
        return 1
    for line in lines:
        if not _is_for_people(args):
            print(line)
        elif args.action == "show":
            print(audit_lines.details(msgspec.json.decode(line)), end="\n\n")
        else:
            print(audit_lines.coloured(msgspec.json.decode(line)))
    return 0


def _export(args: argparse.Namespace, directory: Path) -> int:
    question = _question(args)
    records = reader.records(directory, since=question.since)
    wanted = (record for record in records if not question.until or record["time"] < question.until)
    sys.stdout.writelines(export.exported(wanted, args.format))
    return 0


def _seal(state_dir: Path) -> Seal:
    return Seal(read_key(state_dir / KEY_NAME))


def _verify(directory: Path, seal: Seal, paths: list[Path]) -> int:
    anchors: list[Anchor] = []
    for path in paths:
        try:
            found = list(read_anchors(path.read_bytes().splitlines(), seal))
        except OSError as error:
            raise GatewayError(f"{path}: {error.strerror}") from None
        if not found:
            raise GatewayError(f"{path}: no checkpoint in it; `gateway audit anchor` prints one")
        anchors += found
    report = verify(directory, seal, anchors)
    _print_report(report, len(anchors))
    return 0 if report.is_intact else 1


def _print_report(report: Report, anchors: int) -> None:
    for note in report.notes:
        print(f"note: {note}")
    if report.flaw is not None:
        flaw = report.flaw
        print(f"NOT INTACT: first at record {flaw.seq}{f' ({flaw.place})' if flaw.place else ''}: {flaw.message}")
        return
    against = f"{report.anchors} of {anchors} anchors met" if anchors else "no anchor: a cut tail would not be noticed"
    print(
        f"intact: records {report.first} to {report.last} in {report.segments} segments, head {report.head}; {against}"
    )
