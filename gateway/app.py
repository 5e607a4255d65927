"""Builds every object, connects them, and starts and stops the whole. Nothing else does."""

import asyncio
import logging
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from aiohttp import http_parser, web

from gateway import __version__, fastpath
from gateway.addresses import Addresses
from gateway.admin import health
from gateway.admin.api import Api
from gateway.admin.webhook import Webhook
from gateway.approval_desk import ApprovalDesk
from gateway.audit.journal import Journal
from gateway.clock import Clock
from gateway.config import Address, Config, HttpServer, Server, StdioServer
from gateway.documents import Document
from gateway.errors import DocumentError, GatewayError, Problem, StateError
from gateway.metrics import KnownNames, Metrics
from gateway.policy.engine import NO_POLICY, Engine
from gateway.policy.load import load_policy
from gateway.policy.tables import CompiledPolicy, compile_policy
from gateway.proxy.approval import ApprovalStep
from gateway.proxy.command import Command
from gateway.proxy.connection import Listener
from gateway.proxy.conversations import Conversations
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.downstream import Downstream, Endpoint, endpoints_of
from gateway.proxy.gate import Gate, GrantBudget
from gateway.proxy.http_upstream import HttpUpstream
from gateway.proxy.identity import Grant, Identity
from gateway.proxy.pin_look import look
from gateway.proxy.pins import Pins
from gateway.proxy.record import Recorder
from gateway.proxy.relay import Relay
from gateway.proxy.sse_downstream import SseDownstream
from gateway.proxy.sse_upstream import SseUpstream
from gateway.proxy.stdio_downstream import StdioDownstream
from gateway.proxy.stdio_listener import StdioListener
from gateway.proxy.stdio_upstream import StdioUpstream
from gateway.proxy.task_handles import TaskHandles
from gateway.proxy.underway import Underway
from gateway.proxy.upstream import Upstream
from gateway.state_directory import make_private
from gateway.store import database
from gateway.store.approval import Approval
from gateway.store.counters import CounterStore, read_boot_id
from gateway.store.database import Database
from gateway.store.keys import load_key
from gateway.store.pin_file import load_pins, pin_path
from gateway.tasks import Tasks

logger = logging.getLogger(__name__)

IDLE_AGENT_S: Final = 60.0
HEAD_S: Final = 10.0
MAX_AGENT_CONNECTIONS: Final = 1024
DRAIN_S: Final = 5.0
# What is left of the connections after that has nothing to wait for.
CLOSE_S: Final = 0.5
UPKEEP_INTERVAL_S: Final = 1.0


class Gateway:
    """The running program: two listeners, the pools behind them, and the state they share."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Compile the policies and open the state. Raises `DocumentError` and `StateError`; nothing is served yet."""
        self._config = config
        self._tasks = Tasks()
        policies = compile_policies(config.policies)
        make_private(config.state_dir)
        self._store = CounterStore.open(config.state_dir / "counters", clock, boot_id=read_boot_id())
        self._journal = Journal(config.state_dir / "audit")
        self._metrics = Metrics(__version__, fastpath.IMPLEMENTATION)
        self._upstreams = {name: make_upstream(server, self._tasks, clock) for name, server in config.servers.items()}
        tools = KnownNames(tool for policy in policies.values() for tool in policy.tools)
        self._endpoints = endpoints_of(
            {name: Relay(upstream, self._tasks, config.keep_alive_s) for name, upstream in self._upstreams.items()}
        )
        self._underway = Underway()
        self._recorder = Recorder(self._journal, self._metrics, tools, clock)
        self._pins = {
            server.name: load_server_pins(server, config.state_dir, self._recorder)
            for server in config.servers.values()
            if server.pin is not None
        }
        identity = Identity(self._grants(policies), clock)
        task_handles = TaskHandles()
        self._database = Database.open(config.state_dir / database.FILE_NAME)
        hook = config.webhook
        self._webhook = hook and Webhook(hook.url, hook.secret, clock, include_arguments=hook.include_arguments)
        self._desk = self._approval_desk(clock)
        gate = Gate(clock, task_handles)
        dispatch = Dispatch(
            gate=gate,
            approvals=ApprovalStep(gate, identity, self._desk),
            identity=identity,
            recorder=self._recorder,
            underway=self._underway,
            task_handles=task_handles,
            session_key=load_key(config.state_dir / "session.key"),
        )
        conversations = Conversations(
            dispatch=dispatch,
            identity=identity,
            recorder=self._recorder,
            underway=self._underway,
            tasks=self._tasks,
        )
        self._downstream = Downstream(
            self._endpoints,
            addresses=Addresses.of(config.listen.host, config.allowed_hosts, config.allowed_origins),
            identity=identity,
            dispatch=dispatch,
            sse=SseDownstream(dispatch=dispatch, conversations=conversations, keep_alive_s=config.keep_alive_s),
            recorder=self._recorder,
            underway=self._underway,
        )
        self._stdio = self._stdio_listener(identity, dispatch, conversations)
        self._gauge(conversations)
        self.runners: list[web.BaseRunner] = []
        """The listeners, once started: the second one's first, then the agents'."""
        self.url = ""
        """Where agents reach the gateway, once started."""
        self.admin_url = ""

    async def start(self, *, stdio_only: bool = False) -> None:
        """Open the pools, the socket for stdio and, unless `stdio_only`, both listeners.

        Raises `GatewayError` when an address is taken.
        """
        for upstream in self._upstreams.values():
            upstream.open()
        self._tasks.spawn(self._keep_up(), "upkeep")
        self._desk.start()
        if self._webhook:
            self._tasks.spawn(self._webhook.run(), "send webhooks")
        for name, pins in self._pins.items():
            self._tasks.spawn(look(self._upstreams[name], pins), "compare tools with their pins")
        await self._stdio.start()
        if not stdio_only:
            await self._start_listeners()

    async def stop(self) -> None:
        """Take no more requests, let calls end within `DRAIN_S`, and put state on the disk."""
        for runner in self.runners:
            for site in list(runner.sites):
                await site.stop()
        self._stdio.stop()
        self._desk.release()
        await self._underway.drain(DRAIN_S)
        for runner in self.runners:
            await runner.cleanup()
        await self._stdio.close()
        await self._tasks.close()
        await asyncio.gather(*(upstream.close() for upstream in self._upstreams.values()))
        self.close_state()

    async def unused(self, seconds: float) -> None:
        """Wait until no agent has been connected over stdio for so long."""
        await self._stdio.unused(seconds)

    def endpoint(self, server: str) -> Endpoint:
        """How agents reach `server`."""
        return self._endpoints[f"/mcp/{server}"]

    def close_state(self) -> None:
        """Let go of the state directory."""
        self._store.touch()
        self._store.close()
        self._recorder.sum_up(at_once=True)
        self._journal.close()
        self._database.close()

    async def _start_listeners(self) -> None:
        probes: dict[str, health.Probe] = {
            f"server {name}": upstream.is_reachable for name, upstream in self._upstreams.items()
        }
        probes["audit"] = self._can_record
        admin = health.make_application(
            self._metrics.registry,
            probes,
            Addresses.of(self._config.admin_listen.host, self._config.allowed_hosts),
            Api(self._desk, {token.token_sha256: token.label for token in self._config.admin_tokens}).routes(),
        )
        self.admin_url = await self._listen(web.AppRunner(admin, access_log=None), self._config.admin_listen)
        self.url = await self._listen(make_runner(self._downstream), self._config.listen)

    def _stdio_listener(self, identity: Identity, dispatch: Dispatch, conversations: Conversations) -> StdioListener:
        return StdioListener(
            self._config.state_dir,
            identity,
            {endpoint.server: endpoint.relay for endpoint in self._endpoints.values()},
            StdioDownstream(
                dispatch=dispatch, conversations=conversations, recorder=self._recorder, underway=self._underway
            ),
        )

    def _approval_desk(self, clock: Clock) -> ApprovalDesk:
        return ApprovalDesk(
            self._database,
            records=self._recorder,
            metrics=self._metrics,
            clock=clock,
            tasks=self._tasks,
            most_pending=self._config.pending_per_grant,
            announce=self._webhook.announce if self._webhook else _announce_nowhere,
        )

    def _gauge(self, conversations: Conversations) -> None:
        """Say how what is open is counted."""
        saturation = self._metrics.saturation
        for name, upstream in self._upstreams.items():
            saturation.streams.labels(name).set_function(partial(self._underway.streams, name))
            saturation.sessions.labels(name).set_function(partial(_sessions, conversations, upstream))
        saturation.tasks.set_function(lambda: len(asyncio.all_tasks()))

    def _grants(self, policies: Mapping[str, CompiledPolicy]) -> list[Grant]:
        engines = {name: Engine(policy) for name, policy in policies.items()}
        grants = []
        for grant in self._config.grants:
            counters = policies[grant.policy].counters if grant.policy else ()
            grants.append(
                Grant(
                    label=grant.label,
                    server=grant.server,
                    policy=grant.policy or "",
                    token_digest=grant.token_sha256,
                    expires_ns=grant.expires_ns,
                    engine=engines[grant.policy] if grant.policy else NO_POLICY,
                    budget=GrantBudget(self._store, grant.server, grant.policy or "", grant.label, counters),
                    pins=self._pins.get(grant.server),
                )
            )
        return grants

    async def _listen(self, runner: web.BaseRunner, address: Address) -> str:
        await runner.setup()
        self.runners.append(runner)
        try:
            await web.TCPSite(runner, address.host, address.port).start()
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            raise GatewayError(f"cannot listen on {address.host}:{address.port}: {reason}") from None
        host, port = runner.addresses[0][:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def _can_record(self) -> bool:
        return self._journal.is_healthy

    async def _keep_up(self) -> None:
        """What is to be done every second."""
        while True:
            self._store.touch()
            self._recorder.sum_up()
            await asyncio.sleep(UPKEEP_INTERVAL_S)


def compile_policies(documents: Mapping[str, Document]) -> dict[str, CompiledPolicy]:
    """Every policy of a config, compiled. Raises `DocumentError` with the problems of all of them."""
    compiled: dict[str, CompiledPolicy] = {}
    problems: list[Problem] = []
    for name, document in documents.items():
        try:
            compiled[name] = compile_policy(load_policy(document))
        except DocumentError as error:
            problems.extend(error.problems)
    if problems:
        raise DocumentError(problems)
    return compiled


def _announce_nowhere(_: Approval) -> None:
    """Nobody has asked to be told of approvals."""


def _sessions(conversations: Conversations, upstream: Upstream) -> int:
    return conversations.count(upstream.name) + upstream.sessions


def load_server_pins(server: Server, state_dir: Path, recorder: Recorder) -> Pins:
    """What a server with the setting `pin` is held to. Raises `StateError` where nothing was recorded."""
    handling = server.pin or "hide"
    pinned = load_pins(pin_path(state_dir, server.name))
    if pinned is None:
        raise StateError(
            f"the server {server.name} has `pin: {handling}` and nothing is pinned; run `gateway pin` first"
        )
    return Pins(server.name, handling, pinned.tools, partial(recorder.tool_differs, server.name, handling))


def make_upstream(server: Server, tasks: Tasks, clock: Clock) -> Upstream:
    """The way to a server, not yet opened; `tasks` runs what it does beside sending."""
    match server:
        case StdioServer():
            command = Command(server.command, server.env, server.folder)
            return StdioUpstream(server.name, command, server.timeout_s, server.tool_timeouts_s, clock)
        case HttpServer(transport="sse"):
            return SseUpstream(server.name, server.url, server.headers, server.timeout_s, server.tool_timeouts_s, tasks)
        case HttpServer():
            return HttpUpstream(server.name, server.url, server.headers, server.timeout_s, server.tool_timeouts_s)
        case _:
            assert_never(server)


def make_runner(downstream: Downstream) -> web.ServerRunner:
    """The agents' listener, as production and tests both run it."""
    listener = Listener(
        downstream.handle,
        downstream.refuse_unreadable,
        idle_s=IDLE_AGENT_S,
        head_s=HEAD_S,
        max_connections=MAX_AGENT_CONNECTIONS,
    )
    return web.ServerRunner(listener, shutdown_timeout=CLOSE_S)


def require_compiled_parser() -> None:
    """Raises `GatewayError` when aiohttp reads HTTP with its Python parser, which is slow and has had its own holes."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise GatewayError(
            "aiohttp runs without its C parser; install a binary wheel of aiohttp and unset AIOHTTP_NO_EXTENSIONS, "
            "or accept the slow and less tried one with GATEWAY_NO_EXTENSIONS=1"
        )
