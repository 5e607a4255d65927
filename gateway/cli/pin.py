"""`gateway pin`: records what a server's tools are today, so that the gateway notices when they change."""

import argparse
from pathlib import Path

from gateway.catalog.fingerprint import fingerprint
from gateway.cli.listing import tools_of
from gateway.config import Server, load_config
from gateway.errors import GatewayError
from gateway.reading.shapes import nearest
from gateway.store.pin_file import PinFile, load_pins, pin_path, save_pins
from gateway.visible import visible


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the subcommand."""
    parser = subparsers.add_parser(
        "pin",
        help="record what a server's tools are, to notice when they change",
        description="List the servers' tools and record a fingerprint of each definition in the state directory. "
        "What becomes of a tool that differs later is the server's setting `pin`. Look at what a server lists before "
        "pinning it. A running gateway takes new pins on SIGHUP.",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", default=Path("gateway.yaml"), help="(default: %(default)s)"
    )
    parser.add_argument("--server", metavar="NAME", help="only this server; otherwise all of them")


def run(args: argparse.Namespace) -> int:
    """Record the pins, server by server. Returns 0; GatewayError at the first that cannot be listed."""
    config = load_config(args.config)
    if args.server is not None and args.server not in config.servers:
        raise GatewayError(f"--server: {args.config} has no server {args.server}{nearest(args.server, config.servers)}")
    for name in [args.server] if args.server else list(config.servers):
        print(pin(config.servers[name], config.state_dir))
    return 0


def pin(server: Server, state_dir: Path) -> str:
    """Record what a server lists now; a summary of what is new about it. Raises GatewayError, recording nothing."""
    path = pin_path(state_dir, server.name)
    before = load_pins(path)
    tools: dict[str, str] = {}
    for entry in tools_of(server):
        name, found = entry["name"], fingerprint(entry)
        if tools.setdefault(name, found) != found:
            raise GatewayError(f"{server.name}: lists two different tools called {visible(name)}; nothing is pinned")
    save_pins(path, PinFile(tools))
    return "\n".join([f"{server.name}: {len(tools)} tools pinned in {path}", *_changes(before, tools)])


def _changes(before: PinFile | None, tools: dict[str, str]) -> list[str]:
    """What differs from the pins that were there, a line each."""
    if before is None:
        return []
    marks = {name: "new" for name in tools if name not in before.tools}
    marks |= {name: "changed" for name in tools if before.tools.get(name, tools[name]) != tools[name]}
    marks |= {name: "gone" for name in before.tools if name not in tools}
    return [f"  {mark}: {visible(name)}" for name, mark in sorted(marks.items())]
