"""`gateway grant new LABEL`: makes a token, and prints it once with the lines to paste."""

import argparse
import datetime as dt
import json
import re
from collections.abc import Callable

from gateway.clock import Clock, SystemClock
from gateway.errors import GatewayError
from gateway.reading import scalars
from gateway.tokens import new_token, token_digest

_SECOND_NS = 1_000_000_000
_BEGINS_A_DATE = re.compile("[0-9]+-")
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("grant", help="make tokens for agents")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser(
        "new",
        help="make a token",
        description="Make a token and print it, once, with the lines to paste under `grants:`.",
    )
    new.add_argument("label", metavar="LABEL", help="whose token this is, for people: alice-laptop")
    new.add_argument("--server", metavar="NAME", default="binassist", help="the server it opens (default: binassist)")
    new.add_argument("--policy", metavar="NAME", help="the policy that judges its calls; without one all are denied")
    new.add_argument("--expires", metavar="WHEN", help="30d, 12h, or a time such as 2027-06-30T00:00:00Z")


def run(args: argparse.Namespace) -> int:
    """Print a new grant on stdout. Returns 0; GatewayError for a value no configuration would take."""
    print(new_grant(args.label, args.server, args.policy, args.expires, clock=SystemClock()))
    return 0


def new_grant(label: str, server: str, policy: str | None, expires: str | None, *, clock: Clock) -> str:
    """The text that shows a new token. `expires` is a duration from now, or an RFC 3339 time to come.

    Raises GatewayError naming the argument that cannot be used.
    """
    _check("LABEL", scalars.label, label)
    _check("--server", scalars.name, server)
    entry = {"label": label, "server": server}
    if policy is not None:
        _check("--policy", scalars.label, policy)
        entry["policy"] = policy
    if expires is not None:
        entry["expires"] = _expiry(expires, clock.wall_ns())
    return _shown(entry, new_token())


def _check(argument: str, read: Callable[[str], object], text: str) -> None:
    try:
        read(text)
    except ValueError as error:
        raise GatewayError(f"{argument}: {error}") from None


def _expiry(text: str, now_ns: int) -> str:
    """The time in UTC, rounded down to a second, as the configuration takes it."""
    try:
        expires_ns = _expires_ns(text, now_ns)
        instant = _EPOCH + dt.timedelta(seconds=expires_ns // _SECOND_NS)
    except ValueError as error:
        raise GatewayError(f"--expires: {error}") from None
    except OverflowError:
        raise GatewayError(
            "--expires: that is beyond the year 9999; leave it out for a token that stays valid"
        ) from None
    if expires_ns <= now_ns:
        raise GatewayError(f"--expires: {text} has passed; name a time to come")
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _expires_ns(text: str, now_ns: int) -> int:
    if _BEGINS_A_DATE.match(text):
        return scalars.instant_ns(text)
    try:
        return now_ns + scalars.duration_ns(text)
    except ValueError:
        raise ValueError(
            f'"{text[:40]}" is neither a duration, such as 30d or 12h, nor a time, such as 2027-06-30T00:00:00Z'
        ) from None


def _shown(entry: dict[str, str], token: str) -> str:
    fields = {**entry, "token_sha256": token_digest(token).hex()}
    # A JSON string is a YAML string as well, whatever is in it.
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields.items()]
    pasted = "\n    ".join(lines)
    without_policy = "" if "policy" in entry else "\nWithout a `policy` every call of this grant is denied.\n"
    return (
        f"The token, shown this once; only its digest is kept:\n\n  {token}\n\n"
        f"Paste under `grants:` in the configuration:\n\n  - {pasted}\n{without_policy}\n"
        f"The agent sends it as:\n\n  Authorization: Bearer {token}"
    )
