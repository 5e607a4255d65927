"""Builds every object, connects them, and starts and stops the whole. Nothing else does."""

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import Final

from aiohttp import http_parser, web

from gateway import __version__, fastpath
from gateway.admin import health
from gateway.admin.api import Api
from gateway.admin.webhook import Webhook
from gateway.approval_desk import ApprovalDesk
from gateway.assembly import Assembled, Assembly
from gateway.audit.event import StartRecord, StopRecord
from gateway.audit.journal import Journal
from gateway.audit.keeper import Keeper
from gateway.audit.segment import KEY_NAME
from gateway.clock import Clock
from gateway.config import Address, Config
from gateway.errors import DocumentError, GatewayError, Problem
from gateway.metrics import KnownNames, Metrics
from gateway.proxy.admission import Admission
from gateway.proxy.approval import ApprovalStep
from gateway.proxy.connection import Listener
from gateway.proxy.conversations import Conversations
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.downstream import Downstream
from gateway.proxy.gate import Gate
from gateway.proxy.headroom import headroom
from gateway.proxy.identity import Identity
from gateway.proxy.loop_lag import LoopLag
from gateway.proxy.pin_look import look
from gateway.proxy.record import Recorder
from gateway.proxy.relay import Relay
from gateway.proxy.snapshot import InForce
from gateway.proxy.sse_downstream import SseDownstream
from gateway.proxy.stdio_downstream import StdioDownstream
from gateway.proxy.stdio_listener import StdioListener
from gateway.proxy.streams import Streams
from gateway.proxy.task_handles import TaskHandles
from gateway.proxy.tool_schemas import ToolSchemas
from gateway.proxy.underway import Underway
from gateway.proxy.upstream import Upstream
from gateway.reload import Change, Reloader
from gateway.state_directory import make_private
from gateway.store import database
from gateway.store.approval import Approval
from gateway.store.counters import CounterStore, read_boot_id
from gateway.store.database import Database
from gateway.store.keys import load_key
from gateway.tasks import Tasks
from gateway.vitals import Vitals

logger = logging.getLogger(__name__)

IDLE_AGENT_S: Final = 60.0
HEAD_S: Final = 10.0
# What is left of the connections after that has nothing to wait for.
CLOSE_S: Final = 0.5
UPKEEP_INTERVAL_S: Final = 1.0


class Gateway:
    """The running program: two listeners, the pools behind them, and the state they share."""

    def __init__(self, config: Config, clock: Clock) -> None:
        """Put everything together and open the state. Raises `StateError`; nothing is served yet."""
        self._tasks = Tasks()
        make_private(config.state_dir)
        self._store = CounterStore.open(config.state_dir / "counters", clock, boot_id=read_boot_id())
        self._journal = Journal(config.state_dir / "audit", load_key(config.state_dir / KEY_NAME), clock)
        self._keeper = Keeper(self._journal, clock, config.audit_upkeep)
        self._metrics = Metrics(__version__, fastpath.IMPLEMENTATION)
        self._tools = KnownNames()
        self._underway = Underway()
        self._recorder = Recorder(self._journal, self._metrics, self._tools, clock, continues=config.audit_continues)
        self._assembly = Assembly(self._store, self._recorder, self._tasks, self._underway)
        self._assembled = self._assembly.assemble(config)
        self._in_force = InForce(self._assembled.snapshot)
        self._learn_tools()
        self._lag = LoopLag(lambda: self._in_force.snapshot.bounds.lag_s, self._metrics.saturation.loop_lag.observe)
        self._admission = Admission(lambda: self._in_force.snapshot.bounds, self._lag)
        self._looks: dict[str, asyncio.Task[None]] = {}
        self._keeping: dict[ToolSchemas, asyncio.Task[None]] = {}
        self._identity = Identity(lambda: self._in_force.snapshot.grants, clock)
        self._streams = Streams(self._identity)
        self._database = Database.open(config.state_dir / database.FILE_NAME)
        hook = config.webhook
        self._webhook = hook and Webhook(hook.url, hook.secret, clock, include_arguments=hook.include_arguments)
        self._desk = self._approval_desk(config.pending_per_grant, clock)
        key = load_key(config.state_dir / "session.key")
        dispatch = self._dispatch(clock, key)
        self._conversations = Conversations(
            dispatch=dispatch,
            streams=self._streams,
            recorder=self._recorder,
            underway=self._underway,
            tasks=self._tasks,
        )
        self._downstream = Downstream(
            self._in_force,
            identity=self._identity,
            dispatch=dispatch,
            sse=SseDownstream(dispatch=dispatch, conversations=self._conversations, keep_alive_s=config.keep_alive_s),
            recorder=self._recorder,
            underway=self._underway,
        )
        self._listener: Listener | None = None
        self._stdio = self._stdio_listener(config, dispatch)
        self._gauge()
        self._vitals = Vitals(self._metrics, self._servers)
        self.reloader = Reloader(config, apply=self._apply, recorder=self._recorder, metrics=self._metrics, key=key)
        """Replaces the configuration while the gateway runs."""
        self.runners: list[web.BaseRunner] = []
        """The listeners, once started: the second one's first, then the agents'."""
        self.url = ""
        """Where agents reach the gateway, once started."""
        self.admin_url = ""

    async def start(self, *, stdio_only: bool = False) -> None:
        """Open the pools, the socket for stdio and, unless `stdio_only`, both listeners.

        Raises `GatewayError` when an address is taken, or the start cannot be recorded.
        """
        self._record_start()
        for relay in self._in_force.snapshot.relays.values():
            relay.upstream.open()
        self._tasks.spawn(self._keep_up(), "upkeep")
        self._tasks.spawn(self._keeper.run(), "keep the audit journal")
        self._tasks.spawn(self._lag.run(), "measure the event loop's lag")
        self._desk.start()
        if self._webhook:
            self._tasks.spawn(self._webhook.run(), "send webhooks")
        self._tasks.spawn(self._vitals.watch_servers(), "look whether servers are up")
        self._look_at_tools(None)
        self._keep_schemas()
        await self._stdio.start()
        if not stdio_only:
            await self._start_listeners()
        self._tasks.spawn(self.reloader.run(), "watch the configuration")

    async def stop(self) -> None:
        """Take no more requests, let calls end within the bound, and put state on the disk.

        The second listener goes last: until then it says that the gateway is not ready.
        """
        self._underway.draining.set()
        for runner in self.runners[1:]:
            for site in list(runner.sites):
                await site.stop()
        self._stdio.stop()
        self._desk.release()
        if self._listener is not None:
            self._listener.close_idle()
        await self._underway.drain(self._in_force.snapshot.bounds.drain_s)
        for runner in reversed(self.runners):
            await runner.cleanup()
        await self._stdio.close()
        await self._tasks.close()
        await asyncio.gather(*(relay.upstream.close() for relay in self._in_force.snapshot.relays.values()))
        self.close_state()

    async def unused(self, seconds: float) -> None:
        """Wait until no agent has been connected over stdio for so long."""
        await self._stdio.unused(seconds)

    def relay(self, server: str) -> Relay:
        """The way to a server that is in force now."""
        return self._in_force.snapshot.relays[server]

    def close_state(self) -> None:
        """Let go of the state directory, and last of the lock that the next gateway waits for."""
        self._recorder.sum_up(at_once=True)
        self._recorder.append(StopRecord(self._recorder.now()))
        self._journal.close()
        self._database.close()
        self._store.touch()
        self._store.close()

    async def _start_listeners(self) -> None:
        config = self._assembled.config
        admin = health.make_application(
            self._metrics.registry,
            self._probes,
            lambda: self.reloader.details,
            lambda: self._in_force.snapshot.admin_addresses,
            Api(self._desk, lambda: self._in_force.snapshot.admin_tokens).routes(),
        )
        self.admin_url = await self._listen(web.AppRunner(admin, access_log=None), config.admin_listen)
        self._listener = Listener(
            self._downstream.handle,
            self._downstream.refuse_unreadable,
            idle_s=IDLE_AGENT_S,
            head_s=HEAD_S,
            bounds=lambda: self._in_force.snapshot.bounds,
        )
        self.url = await self._listen(web.ServerRunner(self._listener, shutdown_timeout=CLOSE_S), config.listen)

    def _dispatch(self, clock: Clock, session_key: bytes) -> Dispatch:
        task_handles = TaskHandles()
        gate = Gate(clock, task_handles, self._assembly.in_flight)
        return Dispatch(
            admission=self._admission,
            gate=gate,
            approvals=ApprovalStep(gate, self._identity, self._desk),
            in_force=self._in_force,
            identity=self._identity,
            streams=self._streams,
            recorder=self._recorder,
            underway=self._underway,
            task_handles=task_handles,
            session_key=session_key,
        )

    def _stdio_listener(self, config: Config, dispatch: Dispatch) -> StdioListener:
        downstream = StdioDownstream(
            dispatch=dispatch, conversations=self._conversations, recorder=self._recorder, underway=self._underway
        )
        return StdioListener(config.state_dir, self._identity, downstream)

    def _approval_desk(self, most_pending: int, clock: Clock) -> ApprovalDesk:
        return ApprovalDesk(
            self._database,
            records=self._recorder,
            metrics=self._metrics,
            clock=clock,
            tasks=self._tasks,
            most_pending=most_pending,
            announce=self._webhook.announce if self._webhook else _announce_nowhere,
        )

    def _gauge(self) -> None:
        """Say how what is open is counted."""
        saturation = self._metrics.saturation
        saturation.streams.read = lambda: [((name,), self._underway.streams(name)) for name in self._servers()]
        saturation.sessions.read = lambda: [
            ((name,), _sessions(self._conversations, upstream)) for name, upstream in self._servers().items()
        ]
        saturation.given_up.read = lambda: [
            ((name,), upstream.is_given_up) for name, upstream in self._servers().items()
        ]
        saturation.connections.read = lambda: [((), len(self._listener.connections) if self._listener else 0)]
        saturation.waiting.read = lambda: [((), self._admission.waiting)]
        saturation.tasks.read = lambda: [((), len(asyncio.all_tasks()))]
        saturation.headroom.read = lambda: headroom(
            self._in_force.snapshot.grants.by_label.values(), self._metrics, self._recorder.clock
        )

    def _apply(self, config: Config) -> Change:
        """Put another configuration in force, whole. Raises `GatewayError` where it cannot be had, or not so."""
        _check_fixed(self._assembled.config, config)
        before, after = self._assembled, self._assembly.assemble(config, self._assembled)
        good = [
            grant for grant in before.snapshot.grants.by_label.values() if self._identity.current(grant) is not None
        ]
        for relay in _missing(after.snapshot.relays, before.snapshot.relays):
            relay.upstream.open()
        self._assembled, self._in_force.snapshot = after, after.snapshot
        self._learn_tools()
        for relay in _missing(before.snapshot.relays, after.snapshot.relays):
            self._tasks.spawn(relay.retire(), "close the way to a server")
        self._streams.review()
        self._look_at_tools(before)
        self._keep_schemas()
        return Change(
            policies={name: engine.revision for (name, _), engine in after.engines.items()},
            revoked=tuple(grant.label for grant in good if self._identity.current(grant) is None),
        )

    def _learn_tools(self) -> None:
        for engine in self._assembled.engines.values():
            self._tools.learn(engine.policy.tool_names)

    def _look_at_tools(self, before: Assembled | None) -> None:
        """Compare the tools of servers with their pins, but for those where both are as they were."""
        for name, pinned in self._assembled.pins.items():
            if before is not None and before.pins.get(name) is pinned:
                continue
            if name in self._looks:
                self._looks[name].cancel()
            looking = look(self._in_force.snapshot.relays[name].upstream, pinned.pins)
            self._looks[name] = self._tasks.spawn(looking, "compare tools with their pins")
        for name in self._looks.keys() - self._assembled.pins.keys():
            self._looks.pop(name).cancel()

    def _keep_schemas(self) -> None:
        """Keep the schemas of the servers' tools where a policy needs them, and no others."""
        relays, engines = self._in_force.snapshot.relays, self._assembled.engines
        needed = {relays[server].tool_schemas for (_, server), engine in engines.items() if engine.policy.needs_schemas}
        for schemas in self._keeping.keys() - needed:
            self._keeping.pop(schemas).cancel()
        for schemas in needed - self._keeping.keys():
            self._keeping[schemas] = self._tasks.spawn(schemas.keep(), "keep the schemas of a server's tools")

    def _servers(self) -> dict[str, Upstream]:
        return {name: relay.upstream for name, relay in self._in_force.snapshot.relays.items()}

    def _probes(self) -> dict[str, health.Probe]:
        probes: dict[str, health.Probe] = {
            f"server {name}": upstream.is_reachable for name, upstream in self._servers().items()
        }
        return probes | {"audit": self._can_record, "accepting": self._is_accepting}

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

    async def _is_accepting(self) -> bool:
        return not self._underway.draining.is_set()

    async def _can_record(self) -> bool:
        return self._journal.is_healthy

    def _record_start(self) -> None:
        assembled = self._assembled
        record = StartRecord(
            time=self._recorder.now(),
            version=__version__,
            core=fastpath.IMPLEMENTATION,
            servers=tuple(assembled.config.servers),
            grants=tuple(grant.label for grant in assembled.config.grants),
            policies={name: engine.revision for (name, _), engine in assembled.engines.items()},
        )
        if not self._recorder.append(record):
            raise GatewayError("the start cannot be recorded in the audit journal; make room on its disk")

    async def _keep_up(self) -> None:
        """What is to be done every second."""
        while True:
            self._store.touch()
            self._recorder.sum_up()
            await asyncio.sleep(UPKEEP_INTERVAL_S)


def _check_fixed(before: Config, after: Config) -> None:
    fixed = {
        "listen": "/listen",
        "admin_listen": "/admin/listen",
        "state_dir": "/state_dir",
        "pending_per_grant": "/approvals/pending_per_grant",
        "webhook": "/approvals/webhook",
        "keep_alive_s": "/keep_alive",
        "audit_continues": "/audit/on_failure",
        "audit_upkeep": "/audit",
    }
    message = "cannot change while the gateway runs, so nothing has changed; restart it, or put back what was there"
    problems = [
        Problem(f"{after.source}: {pointer}", message)
        for field, pointer in fixed.items()
        if getattr(after, field) != getattr(before, field)
    ]
    if problems:
        raise DocumentError(problems)


def _missing(relays: Mapping[str, Relay], others: Mapping[str, Relay]) -> list[Relay]:
    """Those of `relays` that are not among the others."""
    return [relay for name, relay in relays.items() if others.get(name) is not relay]


def _announce_nowhere(_: Approval) -> None:
    """Nobody has asked to be told of approvals."""


def _sessions(conversations: Conversations, upstream: Upstream) -> int:
    return conversations.count(upstream.name) + upstream.sessions


def require_compiled_parser() -> None:
    """Raises `GatewayError` when aiohttp reads HTTP with its Python parser, which is slow and has had its own holes."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise GatewayError(
            "aiohttp runs without its C parser; install a binary wheel of aiohttp and unset AIOHTTP_NO_EXTENSIONS, "
            "or accept the slow and less tried one with GATEWAY_NO_EXTENSIONS=1"
        )
