"""Everything that happens to approvals while the gateway runs: each is recorded, counted, and told to whoever waits.

The proxy asks here, the admin API decides here; neither knows the other. What other processes decide by writing to the
same database (`gateway approvals`) is noticed here too.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Final, Protocol

import msgspec

from gateway.audit.event import ApprovalRecord, clipped
from gateway.clock import Clock
from gateway.errors import StateError
from gateway.metrics import Metrics
from gateway.reading.scalars import instant_text
from gateway.store.approval import Approval, ExactCall, State
from gateway.store.approvals import Approvals
from gateway.store.database import Database
from gateway.tasks import Tasks

logger = logging.getLogger(__name__)

# How soon a held call hears of a decision made by another process.
POLL_S: Final = 0.25
# How soon one is recorded that nobody waits for, and an expiry noticed.
SWEEP_S: Final = 5.0


class Records(Protocol):
    """The audit journal as it is used here."""

    def append(self, record: ApprovalRecord) -> bool:
        """Write to the journal. False when that failed, which has been logged then."""
        ...

    def now(self) -> str:
        """The time for a record."""
        ...


class Question(msgspec.Struct, frozen=True):
    """What a person is to be asked."""

    call: ExactCall
    policy: str
    rule: str
    exchange: str
    """The id of the exchange that asks."""
    lifetime_ns: int
    """How long there is to decide, and to make the call."""


class ApprovalDesk:
    """Where agents' calls wait for people. Every method raises `StateError` when the database cannot be used."""

    def __init__(
        self,
        database: Database,
        *,
        records: Records,
        metrics: Metrics,
        clock: Clock,
        tasks: Tasks,
        most_pending: int,
        announce: Callable[[Approval], None],
    ) -> None:
        """`most_pending` is for each grant; `announce` is told of each question that is new, and must not wait."""
        self._database = database
        self._approvals = Approvals(database)
        self._records = records
        self._metrics = metrics
        self._clock = clock
        self._tasks = tasks
        self._most_pending = most_pending
        self._announce = announce
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._is_watching = False
        self._is_open = True
        self._sweeping = asyncio.Lock()

    def start(self) -> None:
        """Begin to notice what other processes decide, and what has expired."""
        self._tasks.spawn(self._keep_sweeping(), "sweep approvals")

    async def ask(self, question: Question) -> Approval:
        """The approval that stands for exactly this call, made where there is none. Raises `UnaskableError`."""
        approval, is_new = await self._database.run(
            lambda: self._approvals.ask(
                question.call,
                policy=question.policy,
                rule=question.rule,
                exchange=question.exchange,
                now_ns=self._clock.wall_ns(),
                lifetime_ns=question.lifetime_ns,
                most=self._most_pending,
            )
        )
        if is_new:
            self._record(approval, "asked")
            self._metrics.approvals.pending.inc()
            self._announce(approval)
        return approval

    async def wait(self, approval: Approval, seconds: float, woken: asyncio.Event | None = None) -> Approval:
        """The approval as it stands once it has been decided, or after `seconds`, or when the gateway stops.

        Whoever waits may set `woken` to wait no longer.
        """
        woken = woken or asyncio.Event()
        # First among those who wait, then a look: nothing can be decided in between unnoticed.
        self._waiting.setdefault(approval.id, set()).add(woken)
        try:
            approval = await self.find(approval.id)
            if approval.state is State.PENDING and self._is_open:
                self._watch()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(seconds):
                        await woken.wait()
                approval = await self.find(approval.id)
            return approval
        finally:
            self._waiting[approval.id].discard(woken)
            if not self._waiting[approval.id]:
                del self._waiting[approval.id]

    async def consume(self, approval: Approval) -> bool:
        """Use it up, for a call that runs now. False when it is used up, or has expired, already."""
        is_consumed = await self._database.run(lambda: self._approvals.consume(approval.id, self._clock.wall_ns()))
        if is_consumed:
            self._metrics.approvals.total.labels(State.CONSUMED.value).inc()
            # That somebody has approved, in whatever process, is recorded before the call that relies on it.
            with self._logged_failure():
                await self.sweep()
        return is_consumed

    async def find(self, prefix: str) -> Approval:
        """The approval with this id. Raises `UnknownApprovalError`."""
        return await self._database.run(lambda: self._approvals.find(prefix, self._clock.wall_ns()))

    async def listed(self, state: State | None) -> list[Approval]:
        """The newest in this state, or in any, newest first."""
        return await self._database.run(lambda: self._approvals.listed(state, self._clock.wall_ns()))

    async def decide(self, prefix: str, state: State, *, approver: str, reason: str) -> Approval:
        """Approve or deny one. Raises `UnknownApprovalError` and `NotPendingError`."""
        now_ns = self._clock.wall_ns()
        decided = await self._database.run(
            lambda: self._approvals.decide(prefix, state, approver=approver, reason=reason, now_ns=now_ns)
        )
        # What was decided stands, and is told by the next sweep if not by this one.
        with self._logged_failure():
            await self.sweep()
        return decided

    async def sweep(self) -> None:
        """Notice what was decided or has expired: tell those who wait for it, record it and count it."""
        async with self._sweeping:
            found = await self._database.run(lambda: self._approvals.sweep(self._clock.wall_ns()))
            self._metrics.approvals.pending.set(found.pending)
            self._metrics.approvals.oldest.set(found.oldest_ns / 1e9)
            recorded = []
            for approval in found.unrecorded:
                self._wake(approval.id)
                event = _event(approval)
                # What could not be recorded is found again by the next sweep.
                if self._record(approval, event):
                    self._metrics.approvals.total.labels(event).inc()
                    recorded.append(approval)
            if recorded:
                await self._database.run(lambda: self._approvals.recorded(recorded))

    def release(self) -> None:
        """The gateway stops: whoever waits is given the approval as it stands."""
        self._is_open = False
        for id in self._waiting:
            self._wake(id)

    def _wake(self, id: str) -> None:
        for woken in self._waiting.get(id, ()):
            woken.set()

    def _record(self, approval: Approval, event: str) -> bool:
        call = approval.call
        return self._records.append(
            ApprovalRecord(
                id=approval.id,
                time=self._records.now(),
                event=event,
                server=call.server,
                grant=call.grant,
                target=clipped(call.tool),
                rule=approval.rule,
                policy=approval.policy,
                revision=call.revision,
                exchange=approval.exchange,
                expires=instant_text(approval.expires_ns),
                call_sha256=call.digest.hex(),
                decided=instant_text(approval.decided_ns) if approval.decided_ns is not None else "",
                approver=approval.approver,
                reason=clipped(approval.reason),
            )
        )

    def _watch(self) -> None:
        if not self._is_watching:
            self._is_watching = True
            self._tasks.spawn(self._keep_watching(), "watch for decisions on approvals")

    async def _keep_watching(self) -> None:
        """While somebody waits, look often whether another process has written to the database."""
        seen = None
        try:
            while self._waiting:
                with self._logged_failure():
                    version = await self._database.run(self._database.version)
                    if version != seen:
                        await self.sweep()
                        seen = version
                await asyncio.sleep(POLL_S)
        finally:
            self._is_watching = False

    async def _keep_sweeping(self) -> None:
        while True:
            with self._logged_failure():
                await self.sweep()
            await asyncio.sleep(SWEEP_S)

    @contextlib.contextmanager
    def _logged_failure(self) -> Iterator[None]:
        """Whoever looks goes on looking: the next time the database may work."""
        try:
            yield
        except StateError as error:
            logger.error("%s", error)


def _event(approval: Approval) -> str:
    """What was decided, if it has been used since."""
    return State.APPROVED.value if approval.state is State.CONSUMED else approval.state.value
