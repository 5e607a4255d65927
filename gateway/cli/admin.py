"""`gateway admin new LABEL`: makes a token for the HTTP API, and prints it once with the lines to paste."""

import argparse
import json

from gateway.errors import GatewayError
from gateway.reading import scalars
from gateway.tokens import new_token, token_digest


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser("admin", help="make tokens for people who decide over HTTP")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    new = actions.add_parser(
        "new",
        help="make a token",
        description="Make a token for the HTTP API and print it, once, with the lines to paste under `admin:`.",
    )
    new.add_argument("label", metavar="LABEL", help="who decides with it, as records name them: zoe")


def run(args: argparse.Namespace) -> int:
    """Print a new admin token on stdout. Returns 0; GatewayError for a label no configuration would take."""
    try:
        label = scalars.label(args.label)
    except ValueError as error:
        raise GatewayError(f"LABEL: {error}") from None
    token = new_token()
    print(
        f"The token, shown this once; only its digest is kept:\n\n  {token}\n\n"
        "Paste under `admin:` in the configuration:\n\n"
        f"  tokens:\n"
        # A JSON string is a YAML string as well, whatever is in it.
        f"    - label: {json.dumps(label, ensure_ascii=False)}\n"
        f"      token_sha256: {json.dumps(token_digest(token).hex())}\n\n"
        f"The API takes it as:\n\n  Authorization: Bearer {token}"
    )
    return 0
