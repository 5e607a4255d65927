"""Metrics and audit for each exchange, once: every path through the gateway begins and ends here.

An `Exchange` is one request and its whole answer. Its decision is written to the journal before anything is
forwarded; its outcome when the answer has ended, which for an agent that left may be after its connection.
"""

import contextlib
import enum
import itertools
import logging
import secrets
from collections.abc import Callable, Iterator
from types import TracebackType

from gateway.audit.event import (
    AuditRecord,
    DecisionRecord,
    OutcomeRecord,
    PinRecord,
    RefusalRecord,
    RefusalSumRecord,
    clipped,
    utc_text,
)
from gateway.audit.journal import Journal, JournalError
from gateway.clock import Clock
from gateway.mcp.message import Message, Response, claimed_client
from gateway.mcp.methods import METHODS, NOTIFICATIONS
from gateway.metrics import KnownNames, Metrics
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import recorded_arguments
from gateway.proxy.identity import Grant
from gateway.proxy.refusals import RefusalTally
from gateway.proxy.reply import Refusal
from gateway.proxy.session_clients import SessionClients
from gateway.store.approval import Approval

logger = logging.getLogger(__name__)

_OPERATIONS = KnownNames((*METHODS, *NOTIFICATIONS, "GET", "POST", "DELETE", "stdio"))

AUDIT_UNAVAILABLE = Decision(
    Verdict.ERROR, names.AUDIT_UNAVAILABLE, "The gateway cannot record this call, so it was not run."
)


class Outcome(enum.StrEnum):
    """What became of a forwarded exchange."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    """A modern agent closed its stream, which cancels at the server."""
    ABANDONED = "abandoned"
    """A legacy agent left; the server finished all the same."""


class Recorder:
    """Makes exchanges, and writes what they report."""

    def __init__(
        self, journal: Journal, metrics: Metrics, tools: KnownNames, clock: Clock, *, continues: bool = False
    ) -> None:
        """With `continues`, what cannot be recorded happens all the same (`audit.on_failure: continue`)."""
        self.journal = journal
        self.sessions = SessionClients(journal)
        self.metrics = metrics
        self.tools = tools
        self.clock = clock
        self.refusals = RefusalTally(clock)
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._continues = continues

    def exchange(self, server: str, peer: str, method: str) -> "Exchange":
        """Begin an exchange; `method` is the HTTP method until a message is read. Use as a context manager."""
        return Exchange(self, f"{self._prefix}-{next(self._numbers):06x}", server, peer, method)

    def append(self, record: AuditRecord) -> bool:
        """Write to the journal. False where that failed, and what the record stands for must not happen.

        Failures are counted here; the journal logs when they begin and end.
        """
        began_ns = self.clock.monotonic_ns()
        try:
            self.journal.append(record)
        except JournalError:
            self.metrics.audit.failures.inc()
            return self._continues
        self.metrics.audit.written((self.clock.monotonic_ns() - began_ns) / 1e9)
        return True

    def sum_up(self, *, at_once: bool = False) -> None:
        """Tell the refusals that were too many to tell one by one: those of the minutes that are over, or all."""
        for told in self.refusals.sums(at_once=at_once):
            self.append(RefusalSumRecord(self.now(), told.peer, told.reason, told.count))
            logger.warning("refused %d more in a minute: reason=%s peer=%s", told.count, told.reason, told.peer)

    def tool_differs(self, server: str, handling: str, tool: str, change: str) -> None:
        """Record a tool that is not as pinned; unless that is allowed, count it and say so in the log."""
        self.append(PinRecord(self.now(), server, clipped(tool), change, handling))
        if handling != "allow":
            self.metrics.pin_differences.labels(server, change).inc()
            logger.warning("%s: the tool %r is %s since it was pinned (%s)", server, clipped(tool), change, handling)

    def now(self) -> str:
        """UTC, RFC 3339, microseconds."""
        return utc_text(self.clock.wall_ns())


class Exchange:
    """One request and its whole answer."""

    def __init__(self, recorder: Recorder, id: str, server: str, peer: str, method: str) -> None:
        self.id = id
        self.server = server
        self._recorder = recorder
        self._peer = peer
        self._method = method
        self._target = ""
        self._grant = ""
        self._session = ""
        self._client = ""
        self._opened = ""
        self._request_bytes = 0
        self._arrived_ns = recorder.clock.monotonic_ns()
        self._read_ns = 0
        self._parsed_ns = 0
        self._held_ns = 0
        self._forwarded_ns = 0
        self._answered_ns = 0
        self._upstream_status = 0
        self._answer_bytes = 0
        self._is_replying = False
        self._is_detached = False
        self._holders = 0
        self.outcome: Outcome | None = None
        """What became of it, once it has ended."""
        self._is_decided = False
        self._releases: list[Callable[[], None]] = []

    def __enter__(self) -> "Exchange":
        self._holders += 1
        return self

    def at_close(self, release: Callable[[], None]) -> None:
        """Call `release` when the exchange is over, which for an abandoned one is when the server's answer is."""
        self._releases.append(release)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # The net for a defect of ours. Whoever leaves last ends it, or drains it if it is detached.
        self._holders -= 1
        if self._is_detached or self._holders:
            return
        if self._forwarded_ns:
            self.end(Outcome.FAILED, rule=names.INTERNAL_ERROR)
        self._close()

    def read(self, count: int = 0) -> None:
        """The request has been read whole, and had `count` bytes."""
        self._request_bytes = count
        self._read_ns = self._recorder.clock.monotonic_ns()

    def parsed(self) -> None:
        """The message in it is known."""
        self._parsed_ns = self._recorder.clock.monotonic_ns()
        self._recorder.metrics.overhead.labels("parse").observe((self._parsed_ns - self._read_ns) / 1e9)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """The call is held open for a person; that time is nothing the gateway takes for itself."""
        began_ns = self._recorder.clock.monotonic_ns()
        try:
            yield
        finally:
            self._held_ns += self._recorder.clock.monotonic_ns() - began_ns

    def identified(self, grant: Grant) -> None:
        """The caller is known."""
        self._grant = grant.label

    def in_session(self, session_id: str | None) -> None:
        """The request belongs to this session of the server's, or to none."""
        self._session, self._client = self._recorder.sessions.of(session_id)

    def opened(self, session_id: str) -> None:
        """The server has opened this session with its answer."""
        self._opened = self._recorder.sessions.opened(session_id, self._client)

    def refused(self, refusal: Refusal) -> None:
        """The request is refused as HTTP, without a decision; or the gateway itself failed on it.

        One record and one line in the log, or part of a sum where a peer is refused again and again.
        """
        self._is_decided = True
        recorder = self._recorder
        recorder.metrics.malformed.labels(refusal.reason).inc()
        if not recorder.refusals.is_told(self._peer, refusal.reason):
            return
        known = (self.id, refusal.status, refusal.reason, self._peer, self.server)
        logger.warning("refused: id=%s status=%d reason=%s peer=%s server=%s", *known)
        recorder.append(
            RefusalRecord(
                id=self.id,
                time=recorder.now(),
                server=self.server,
                grant=self._grant,
                peer=self._peer,
                status=refusal.status,
                reason=refusal.reason,
                message=clipped(str(refusal)),
            )
        )

    def decided(
        self, grant: Grant, message: Message | None, decision: Decision, approval: Approval | None = None
    ) -> Decision:
        """Record a decision. Returns the one in force: an allowed call that cannot be recorded is refused."""
        self._is_decided = True
        recorder = self._recorder
        if message is not None and not isinstance(message, Response):
            self._method, self._target = message.method, message.target
            self._client = claimed_client(message) or self._client
        decide_ns = recorder.clock.monotonic_ns() - (self._parsed_ns or self._arrived_ns) - self._held_ns
        if not recorder.append(self._decision_record(grant, message, decision, approval, decide_ns)):
            decision = AUDIT_UNAVAILABLE
        metrics, tool = recorder.metrics, self._tool_label()
        metrics.decisions.labels(self.server, metrics.grants.admit(grant.label), tool, decision.verdict.value).inc()
        metrics.overhead.labels("decide").observe(decide_ns / 1e9)
        for outcome in decision.shadow:
            metrics.shadow.labels(metrics.rules.admit(outcome.rule), outcome.verdict.value).inc()
        if decision.verdict is not Verdict.ALLOW:
            metrics.denials.labels(self.server, metrics.rules.admit(decision.rule)).inc()
            self._observe_total(decision.verdict.value)
        return decision

    def forwarded(self) -> None:
        """The request goes to the server now."""
        self._forwarded_ns = self._recorder.clock.monotonic_ns()
        self._recorder.metrics.inflight.labels(self.server).inc()

    def answered(self, status: int) -> None:
        """The server's status line and headers are here."""
        self._answered_ns = self._recorder.clock.monotonic_ns()
        self._upstream_status = status

    @property
    def grant(self) -> str:
        """The label of the caller's grant; empty while nobody is known."""
        return self._grant

    @property
    def is_decided(self) -> bool:
        """Whether there was a decision or a refusal, and so a record."""
        return self._is_decided

    @property
    def answer_bytes(self) -> int:
        """How much of the answer has been passed on."""
        return self._answer_bytes

    @property
    def is_replying(self) -> bool:
        """Whether some of the answer is on its way, so that no other answer can be given."""
        return self._is_replying

    def replied(self) -> None:
        """The first byte of the answer is on its way to the agent."""
        self._is_replying = True
        clock, overhead = self._recorder.clock, self._recorder.metrics.overhead
        before = self._forwarded_ns - self._arrived_ns - self._held_ns
        overhead.labels("total").observe((before + clock.monotonic_ns() - self._answered_ns) / 1e9)

    def sent(self, count: int) -> None:
        """`count` bytes of the answer have been passed on."""
        self._answer_bytes += count

    def detach(self) -> None:
        """The answer outlives the agent's connection: whoever drains it calls `end`."""
        self._is_detached = True

    def attach(self) -> "Exchange":
        """Take over a detached exchange that is not forwarded yet; use it as a context manager, as from the start.

        The one who detached it may leave it before or after that.
        """
        self._is_detached = False
        return self

    def end(self, outcome: Outcome, *, rule: str = "", rolled_back: bool = False) -> None:
        """Record what became of a forwarded exchange; only the first call counts."""
        if self.outcome is not None:
            return
        self.outcome = outcome
        if self._is_detached:
            self._close()
        recorder, now_ns = self._recorder, self._recorder.clock.monotonic_ns()
        recorder.metrics.inflight.labels(self.server).dec()
        if self._answered_ns and (tool := self._tool_label()):
            elapsed = (now_ns - self._forwarded_ns) / 1e9
            recorder.metrics.servers.seconds.labels(self.server, tool).observe(elapsed)
        if outcome is Outcome.FAILED:
            recorder.metrics.servers.errors.labels(self.server, rule).inc()
        self._observe_total("" if outcome is Outcome.COMPLETED else outcome.value)
        recorder.append(
            OutcomeRecord(
                id=self.id,
                time=recorder.now(),
                outcome=outcome.value,
                upstream_status=self._upstream_status,
                answer_bytes=self._answer_bytes,
                upstream_ms=round((now_ns - self._forwarded_ns) / 1e6, 3),
                total_ms=round((now_ns - self._arrived_ns) / 1e6, 3),
                rule=rule,
                rolled_back=rolled_back,
                session=self._opened,
            )
        )

    def _close(self) -> None:
        while self._releases:
            self._releases.pop()()

    def _decision_record(
        self,
        grant: Grant,
        message: Message | None,
        decision: Decision,
        approval: Approval | None,
        decide_ns: int,
    ) -> DecisionRecord:
        limit = decision.limit
        return DecisionRecord(
            id=self.id,
            time=self._recorder.now(),
            server=self.server,
            grant=grant.label,
            peer=self._peer,
            method=clipped(self._method),
            verdict=decision.verdict.value,
            rule=decision.rule,
            policy=grant.policy,
            revision=grant.engine.revision,
            target=clipped(self._target),
            argument_keys=recorded_arguments.keys(message),
            message=clipped(decision.message),
            limit=limit.counter if limit else "",
            retry_after_ms=limit.retry_after_ms if limit else None,
            decide_us=round(decide_ns / 1e3, 1),
            approval=approval.id if approval else "",
            approver=approval.approver if approval else "",
            shadow={outcome.rule: outcome.verdict.value for outcome in decision.shadow},
            kept=recorded_arguments.kept(grant, message),
            session=self._session,
            client=clipped(self._client),
            arguments_hash=recorded_arguments.fingerprint(self._recorder.journal, message),
            limit_max=limit.limit if limit else None,
            remaining=limit.remaining if limit else None,
            free=decision.is_free,
            request_bytes=self._request_bytes,
            arrival_ms=round((self._recorder.clock.monotonic_ns() - self._arrived_ns) / 1e6, 3),
        )

    def _tool_label(self) -> str:
        return self._recorder.tools.label(self._target) if self._method == "tools/call" else ""

    def _observe_total(self, error_type: str) -> None:
        recorder = self._recorder
        elapsed = (recorder.clock.monotonic_ns() - self._arrived_ns) / 1e9
        method = _OPERATIONS.label(self._method)
        recorder.metrics.operations.labels(method, self._tool_label(), error_type).observe(elapsed)
