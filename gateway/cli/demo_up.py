"""`gateway demo up`: the stand-in server and a gateway before it, with two grants, in one command."""

import argparse
import contextlib
import importlib.resources
import json
import logging
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from gateway.app import Gateway
from gateway.cli import background
from gateway.cli.serve import serve
from gateway.config import load_config
from gateway.errors import GatewayError, StateError
from gateway.lock import Lock
from gateway.tokens import new_token, token_digest

# What to listen on where it is free.
PORTS: Final = {"server": 9090, "agents": 8080, "admin": 9901}
_USES: Final = {
    "server": "the stand-in for BinAssistMCP listens on",
    "agents": "agents connect to",
    "admin": "metrics and health are on",
}

GRANTS: Final = {
    "cancel-only": ("cancel_task.json", "cancel_task ten times a minute, and nothing else"),
    "analyst": ("binassist_recommended.json", "the recommended policy for all 44 tools"),
}


def add_parser(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `up` to the actions of `demo`."""
    parser = actions.add_parser(
        "up",
        help="run it with a gateway before it, and print what to connect to",
        description="Run a stand-in and a gateway before it on loopback, and print what to connect to.",
    )
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("gateway-demo"),
        help="where configuration, tokens and state are kept (default: %(default)s)",
    )
    parser.add_argument(
        "--free-ports",
        action="store_true",
        help=f"take any free ports instead of {', '.join(map(str, PORTS.values()))}",
    )
    # Suppressed, so that leaving it out here does not undo it before the action.
    parser.add_argument(
        "--slow",
        action="store_true",
        default=argparse.SUPPRESS,
        help="let analysis block the stand-in, as the real server",
    )


def run(args: argparse.Namespace) -> int:
    """Run both until interrupted. Raises `GatewayError` when one can't start, or both run already."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    directory: Path = args.directory
    with _owned(directory):
        ports = choose_ports(dict.fromkeys(PORTS, 0) if args.free_ports else PORTS)
        tokens = _tokens(directory)
        config = load_config(_write_config(directory, ports, tokens))
        # A process of its own, so that its blocking calls block nobody else.
        stand_in = ["demo", "--port", str(ports["server"]), *(["--slow"] if args.slow else [])]
        with background.running("the demo server", stand_in, lambda: _accepts_connections(ports["server"])):
            serve(config, lambda gateway: _announce(gateway, directory, ports, tokens))
    return 0


def choose_ports(wanted: Mapping[str, int]) -> dict[str, int]:
    """A free port on loopback for each use: the one that is wanted, or any, and then says so. 0 wants any."""
    ports = {use: _free_port(port) for use, port in wanted.items()}
    for use, port in wanted.items():
        if port not in (0, ports[use]):
            print(f"Port {port} is taken: {_USES[use]} {ports[use]} instead.")
    return ports


def client_config_path(directory: Path) -> Path:
    """The client configuration that `run` writes once both listen: the place where the tokens are kept."""
    return directory / "mcp.json"


def config_path(directory: Path) -> Path:
    """The configuration of the gateway that `run` starts."""
    return directory / "gateway.json"


def journal_directory(directory: Path) -> Path:
    """The audit journal of that gateway."""
    return directory / "state" / "audit"


@contextlib.contextmanager
def _owned(directory: Path) -> Iterator[None]:
    """The directory for this process alone: a second one would overwrite what the first one runs on."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GatewayError(f"{directory}: {error.strerror}; choose another with --directory") from None
    try:
        lock = Lock.take(directory / "demo.lock")
    except StateError as error:
        if not isinstance(error.__cause__, BlockingIOError):
            raise
        raise GatewayError(
            f"already running; connect to what {client_config_path(directory)} names, "
            "or run another one with a --directory of its own"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _announce(gateway: Gateway, directory: Path, ports: dict[str, int], tokens: dict[str, str]) -> None:
    url = f"{gateway.url}/mcp"
    snippet = json.dumps(_client_config(url, tokens), indent=2)
    path = client_config_path(directory)
    _write_private(path, snippet)
    print(f"""
The gateway is running; Ctrl-C stops it.

  agents     {url}
  people     {gateway.admin_url}/metrics  /healthz  /readyz
  server     http://127.0.0.1:{ports["server"]}/mcp  (stand-in for BinAssistMCP, 44 tools)
  audit      {journal_directory(directory)}
""")
    for label, (_, summary) in GRANTS.items():
        print(f"  grant {label}: {summary}\n    token {tokens[label]}")
    print(f"""
.mcp.json for your agent, also kept in {path}:

{snippet}

Try: connect an agent and let it call cancel_task eleven times, or watch the official client do it: make demo
""")
    sys.stdout.flush()


def _client_config(url: str, tokens: dict[str, str]) -> dict[str, Any]:
    return {
        "mcpServers": {
            f"binassist-{label}": {
                "type": "http",
                "url": url,
                "headers": {"Authorization": f"Bearer {token}"},
            }
            for label, token in tokens.items()
        }
    }


def _tokens(directory: Path) -> dict[str, str]:
    """A token for each grant: last time's where there are any, so that a pasted configuration goes on working."""
    try:
        known = json.loads(client_config_path(directory).read_text())["mcpServers"]
        return {
            label: known[f"binassist-{label}"]["headers"]["Authorization"].removeprefix("Bearer ") for label in GRANTS
        }
    except (OSError, ValueError, KeyError, TypeError):
        return {label: new_token() for label in GRANTS}


def _write_config(directory: Path, ports: dict[str, int], tokens: dict[str, str]) -> Path:
    policies = importlib.resources.files("gateway.catalog") / "policies"
    document = {
        "listen": f"127.0.0.1:{ports['agents']}",
        "admin": {"listen": f"127.0.0.1:{ports['admin']}"},
        "state_dir": "state",
        "servers": {"binassist": {"url": f"http://127.0.0.1:{ports['server']}/mcp"}},
        "policies": {label: json.loads((policies / file).read_text()) for label, (file, _) in GRANTS.items()},
        "grants": [
            {
                "label": label,
                "server": "binassist",
                "policy": label,
                "token_sha256": token_digest(token).hex(),
            }
            for label, token in tokens.items()
        ],
    }
    path = config_path(directory)
    _write_private(path, json.dumps(document, indent=2))
    return path


def _write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, in one step: whoever finds it finds all of it."""
    draft = path.with_suffix(".new")
    with open(draft, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text + "\n")
    draft.rename(path)


def _free_port(wanted: int) -> int:
    """`wanted` where it is free on loopback, any free port elsewhere."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found: int = probe.getsockname()[1]
            return found
    raise GatewayError("no free port on loopback")


def _accepts_connections(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
