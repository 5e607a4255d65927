"""From a configuration to a snapshot of the gateway, which takes over from the one before it what has not changed.

A pure description of what is to be: nothing is connected, opened or swapped here. Called by `app`.
"""

from functools import partial
from typing import assert_never

import msgspec

from gateway.addresses import Addresses
from gateway.clock import Clock
from gateway.config import Config, HttpServer, Server, StdioServer
from gateway.config import Grant as GrantSettings
from gateway.errors import StateError
from gateway.policy.engine import NO_POLICY, Engine
from gateway.policy.tables import compile_policy
from gateway.proxy.breaker import Breaker
from gateway.proxy.budget import GrantBudget
from gateway.proxy.command import Command
from gateway.proxy.endpoints import endpoints_of
from gateway.proxy.http_upstream import HttpUpstream
from gateway.proxy.identity import Grant, Grants
from gateway.proxy.in_flight import InFlight
from gateway.proxy.pins import Pins
from gateway.proxy.record import Recorder
from gateway.proxy.relay import Relay
from gateway.proxy.snapshot import Snapshot
from gateway.proxy.sse_upstream import SseUpstream
from gateway.proxy.stdio_upstream import StdioUpstream
from gateway.proxy.underway import Underway
from gateway.proxy.upstream import Upstream
from gateway.store.counters import CounterStore
from gateway.store.pin_file import PinFile, load_pins, pin_path
from gateway.tasks import Tasks


class Pinned(msgspec.Struct, frozen=True):
    """What is pinned of a server, and what it was last seen to be."""

    file: PinFile
    pins: Pins


class Assembled(msgspec.Struct, frozen=True):
    """A configuration and what was made of it."""

    config: Config
    snapshot: Snapshot
    engines: dict[tuple[str, str], Engine]
    """Of the policies in use, by their names and the servers that they are used on."""
    pins: dict[str, Pinned]
    """Of the servers that are held to something, by their names."""


class Assembly:
    """Puts snapshots together around the state that outlives them."""

    def __init__(self, store: CounterStore, recorder: Recorder, tasks: Tasks, underway: Underway) -> None:
        self._store = store
        self._recorder = recorder
        self._tasks = tasks
        self._underway = underway
        self.in_flight = InFlight()
        """The calls under way, which no reload forgets."""

    def assemble(self, config: Config, before: Assembled | None = None) -> Assembled:
        """What `config` makes of the gateway.

        The servers of `before` that are the same keep their connections; grants that are the same keep their
        budgets, and so the counters that they have found. Raises `StateError` where a server's pins cannot be had.
        """
        pins = {
            server.name: self._pinned(server, config, before)
            for server in config.servers.values()
            if server.pin is not None
        }
        relays = {server.name: self._relay(server, config.keep_alive_s, before) for server in config.servers.values()}
        used = {(grant.policy, grant.server) for grant in config.grants if grant.policy is not None}
        engines = {
            (policy, server): Engine(compile_policy(config.policies[policy], relays[server].tool_schemas))
            for policy, server in used
        }
        # An engine asks for schemas the very server that it was made for, so a changed one has new grants.
        same = {name for name, relay in relays.items() if before and before.snapshot.relays.get(name) is relay}
        grants = [
            self._grant(grant, engines, pins, before if grant.server in same else None) for grant in config.grants
        ]
        snapshot = Snapshot(
            grants=Grants(grants),
            relays=relays,
            endpoints=endpoints_of(config.servers),
            addresses=Addresses.of(config.listen.host, config.allowed_hosts, config.allowed_origins),
            admin_addresses=Addresses.of(config.admin_listen.host, config.allowed_hosts),
            bounds=config.bounds,
            admin_tokens={token.token_sha256: token.label for token in config.admin_tokens},
        )
        return Assembled(config, snapshot, engines, pins)

    def _grant(
        self,
        grant: GrantSettings,
        engines: dict[tuple[str, str], Engine],
        pins: dict[str, Pinned],
        before: Assembled | None,
    ) -> Grant:
        policy = grant.policy or ""
        engine = engines.get((policy, grant.server))
        made = Grant(
            label=grant.label,
            server=grant.server,
            policy=policy,
            token_digest=grant.token_sha256,
            expires_ns=grant.expires_ns,
            engine=engine or NO_POLICY,
            budget=GrantBudget(
                self._store,
                self.in_flight,
                grant.server,
                policy,
                grant.label,
                engine.policy.counters if engine else (),
            ),
        )
        if grant.server in pins:
            made = msgspec.structs.replace(made, pins=pins[grant.server].pins)
        known = before.snapshot.grants.by_label.get(grant.label) if before else None
        return known if known is not None and _terms(known) == _terms(made) else made

    def _relay(self, server: Server, keep_alive_s: float, before: Assembled | None) -> Relay:
        if before is not None and before.config.servers.get(server.name) == server:
            return before.snapshot.relays[server.name]
        return Relay(
            make_upstream(server, self._tasks, self._recorder.clock), self._tasks, self._underway, keep_alive_s
        )

    def _pinned(self, server: Server, config: Config, before: Assembled | None) -> Pinned:
        handling = server.pin or "hide"
        file = load_pins(pin_path(config.state_dir, server.name))
        if file is None:
            raise StateError(
                f"the server {server.name} has `pin: {handling}` and nothing is pinned; run `gateway pin` first"
            )
        if before is not None and before.config.servers.get(server.name) == server:
            known = before.pins[server.name]
            if known.file == file:
                return known
        report = partial(self._recorder.tool_differs, server.name, handling)
        return Pinned(file, Pins(server.name, handling, file.tools, report))


def make_upstream(server: Server, tasks: Tasks, clock: Clock) -> Upstream:
    """The way to a server, not yet opened; `tasks` runs what it does beside sending."""
    match server:
        case StdioServer():
            command = Command(server.command, server.env, server.folder)
            return StdioUpstream(server.name, command, server.timeout_s, server.tool_timeouts_s, clock)
        case HttpServer():
            breaker = Breaker(clock, failures=server.down_after, pause_s=server.down_for_s)
            known = server.name, server.url, server.headers, server.timeout_s, server.tool_timeouts_s
            if server.transport == "sse":
                return SseUpstream(*known, tasks, breaker)
            return HttpUpstream(*known, breaker)
        case _:
            assert_never(server)


def _terms(grant: Grant) -> tuple[object, ...]:
    """All that a grant is. Two policies of one revision judge alike."""
    return (
        grant.label,
        grant.token_digest,
        grant.server,
        grant.policy,
        grant.expires_ns,
        grant.engine.revision,
        id(grant.pins),
    )
