"""`gateway demo up`: the stand-in server and a gateway before it, with two grants, in one command."""

import argparse
import contextlib
import importlib.resources
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import sleep
from typing import Any, Final

from gateway.app import Gateway
from gateway.cli.serve import serve
from gateway.config import load_config
from gateway.errors import GatewayError
from gateway.tokens import new_token, token_digest

# How often, and how many times, to look whether a process that was started is ready: 20 s in all.
POLL_S: Final = 0.05
START_POLLS: Final = 400
# What to listen on where it is free: the demo server, agents, people.
PORTS: Final = {"server": 9090, "agents": 8080, "admin": 9901}

GRANTS: Final = {
    "cancel-only": ("cancel_task.json", "cancel_task ten times a minute, and nothing else"),
    "analyst": ("binassist_recommended.json", "the recommended policy for all 44 tools"),
}


def run(args: argparse.Namespace) -> int:
    """Run both until interrupted. Raises `GatewayError` when the server does not start."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    directory: Path = args.directory
    directory.mkdir(parents=True, exist_ok=True)
    ports = {name: _port(0 if args.free_ports else port) for name, port in PORTS.items()}
    tokens = _tokens(directory)
    config = load_config(_write_config(directory, ports, tokens))
    with _demo_server(ports["server"], is_slow=args.slow):
        serve(config, lambda gateway: _announce(gateway, directory, ports, tokens))
    return 0


def client_config_path(directory: Path) -> Path:
    """The client configuration that `run` writes once both listen: the place where the tokens are kept."""
    return directory / "mcp.json"


def config_path(directory: Path) -> Path:
    """The configuration of the gateway that `run` starts."""
    return directory / "gateway.json"


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
  audit      {directory / "state" / "audit" / "journal.jsonl"}
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


def _port(wanted: int) -> int:
    """`wanted` where it is free on loopback, any free port elsewhere."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            found: int = probe.getsockname()[1]
            return found
    raise GatewayError("no free port on loopback")


@contextlib.contextmanager
def _demo_server(port: int, *, is_slow: bool) -> Iterator[None]:
    """The stand-in as a process of its own, so that its blocking calls block nobody else."""
    command = [
        sys.executable,
        "-m",
        "gateway",
        "demo",
        "serve",
        "--port",
        str(port),
        *(["--slow"] if is_slow else []),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ)
    try:
        wait_until(lambda: _accepts_connections(port), process, "the demo server")
        yield
    finally:
        process.terminate()
        process.wait()


def wait_until(is_ready: Callable[[], bool], process: "subprocess.Popen[bytes]", what: str) -> None:
    """Wait for a process that was started. Raises `GatewayError` when it ends or takes too long."""
    for _ in range(START_POLLS):
        if process.poll() is not None:
            break
        if is_ready():
            return
        sleep(POLL_S)
    raise GatewayError(f"{what} did not start; see what it printed above")


def _accepts_connections(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
