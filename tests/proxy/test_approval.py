"""What may change between the question and the answer: nothing then runs that was not approved as it stands now."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gateway.approval_desk import ApprovalDesk
from gateway.clock import ManualClock
from gateway.errors import StateError
from gateway.mcp.versions import Era
from gateway.metrics import KnownNames, Metrics
from gateway.policy.decision import Verdict
from gateway.policy.engine import Engine
from gateway.proxy import identity
from gateway.proxy.approval import ApprovalStep, PendingCall, Resolution
from gateway.proxy.gate import Gate
from gateway.proxy.identity import Grant, Identity
from gateway.proxy.in_flight import InFlight
from gateway.proxy.record import Recorder
from gateway.proxy.reply import Refusal
from gateway.proxy.task_handles import TaskHandles
from gateway.store.approval import Approval, State
from gateway.store.database import Database
from gateway.tasks import Tasks
from tests.support.approvals import LIFETIME_NS, asking
from tests.support.grants import grant
from tests.support.journals import open_journal
from tests.support.messages import call, notification
from tests.support.policies import engine
from tests.support.waiting import eventually

CALL = call("get_code", name="main")
LIMITS = [{"counter": "c", "window": "minute", "max": 1, "scope": "grant"}]
RULES = asking(hold="60s", limits=LIMITS, concurrency=1)


def asking_engine(**policy: Any) -> Engine:
    """A policy of these rules and more."""
    return engine(**RULES, **policy)


class Grants(Identity):
    """One grant, which may be changed or revoked."""

    def __init__(self, only: Grant, clock: ManualClock) -> None:
        super().__init__(lambda: identity.Grants([only]), clock)
        self.now: Grant | None = only

    def current(self, grant: Grant) -> Grant | None:
        return self.now


class Office:
    """The step and everything that it needs."""

    def __init__(self, directory: Path) -> None:
        self.clock = ManualClock()
        self.database = Database.open(directory / "gateway.db")
        self.tasks = Tasks()
        self.journal = open_journal(directory, self.clock)
        metrics = Metrics("1", "python")
        self.recorder = Recorder(self.journal, metrics, KnownNames(), self.clock)
        self.announced: list[Approval] = []
        self.desk = ApprovalDesk(
            self.database,
            records=self.recorder,
            metrics=metrics,
            clock=self.clock,
            tasks=self.tasks,
            most_pending=20,
            announce=self.announced.append,
        )
        self.in_flight = InFlight()
        self.gate = Gate(self.clock, TaskHandles(), self.in_flight)
        self.alice = grant(**RULES)
        self.grants = Grants(self.alice, self.clock)
        self.step = ApprovalStep(self.gate, self.grants, self.desk)

    async def resolve(self) -> Resolution:
        """Alice's call, from the gate to the resolution."""
        with self.recorder.exchange("binassist", "", "POST") as exchange:
            pending = self.gate.decide(self.alice, CALL)
            assert pending.verdict is Verdict.PENDING
            return await self.step.resolve(PendingCall(exchange, self.alice, "s", CALL, Era.LEGACY, pending))

    async def approved_while_held(self) -> asyncio.Task[Resolution]:
        """Her call, of which the approval is given, but not heard of yet."""
        resolving = self.tasks.spawn(self.resolve(), "resolve")
        await eventually(lambda: self.announced)
        return resolving

    async def approve(self) -> None:
        await self.desk.decide(self.announced[0].id, State.APPROVED, approver="zoe", reason="")

    async def state(self) -> State:
        """Of the first approval that was asked for."""
        return (await self.desk.find(self.announced[0].id)).state

    def is_unspent(self) -> bool:
        """Whether she has not spent her one call a minute, nor holds a place among the calls in flight."""
        places = self.in_flight.count(("binassist", "alice"), "/tools/get_code/concurrency")
        return places == 0 and self.gate.decide(self.alice, CALL, is_approved=True).verdict is Verdict.ALLOW

    def with_policy(self, judge: Engine) -> Grant:
        return msgspec.structs.replace(self.alice, engine=judge)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path)
    yield office
    await office.tasks.close()
    office.database.close()
    office.journal.close()


async def test_what_is_approved_is_judged_again_and_used_up(office: Office):
    """The decision is the policy's own, its limits are spent, and the approval comes with it."""
    resolving = await office.approved_while_held()
    await office.approve()
    resolution = await resolving
    assert (resolution.decision.verdict, resolution.grant) == (Verdict.ALLOW, office.alice)
    assert (resolution.approval.id, resolution.approval.approver) == (office.announced[0].id, "zoe")
    assert await office.state() is State.CONSUMED
    assert not office.is_unspent()


async def test_a_grant_that_was_revoked_meanwhile_runs_nothing(office: Office):
    """As if it asked now: 401. The approval is not used."""
    resolving = await office.approved_while_held()
    office.grants.now = None
    await office.approve()
    with pytest.raises(Refusal) as refused:
        await resolving
    assert refused.value.status == 401
    assert await office.state() is State.APPROVED
    assert office.is_unspent()


async def test_a_policy_that_asks_anew_gets_an_approval_of_its_own(office: Office):
    """What was approved under the old one does not count."""
    resolving = await office.approved_while_held()
    office.grants.now = office.with_policy(asking_engine(hide=["x"]))
    await office.approve()
    resolution = await resolving
    assert resolution.decision.verdict is Verdict.PENDING
    assert resolution.approval.id == office.announced[1].id != office.announced[0].id
    assert resolution.approval.id in resolution.decision.message
    assert await office.state() is State.APPROVED


@pytest.mark.parametrize(("default", "verdict"), [("allow", Verdict.ALLOW), ("deny", Verdict.DENY)])
async def test_a_policy_that_no_longer_asks_decides_by_itself(office: Office, default: str, verdict: Verdict):
    """Then nothing is used up, and the record names no approval."""
    resolving = await office.approved_while_held()
    office.grants.now = office.with_policy(engine(default=default))
    await office.approve()
    resolution = await resolving
    assert (resolution.decision.verdict, resolution.approval) == (verdict, None)
    assert resolution.grant is office.grants.now
    assert await office.state() is State.APPROVED


async def test_an_approval_that_another_call_was_faster_to_use_is_refused(
    office: Office, monkeypatch: pytest.MonkeyPatch
):
    """What was spent is given back, and its place among the calls in flight."""

    async def too_late(_: Approval) -> bool:
        return False

    monkeypatch.setattr(office.desk, "consume", too_late)
    resolving = await office.approved_while_held()
    await office.approve()
    decision = (await resolving).decision
    assert decision.verdict is Verdict.DENY
    assert "has been used up. Repeat the call to ask for another." in decision.message
    assert office.is_unspent()


@pytest.mark.parametrize("judge", [None, engine(default="deny"), asking_engine(hide=["x"])])
async def test_a_reload_while_it_is_used_up_runs_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, judge: Engine | None
):
    """Neither for a grant that is revoked by then, nor under a policy that nobody has asked."""
    consume = office.desk.consume

    async def reload_meanwhile(approval: Approval) -> bool:
        office.grants.now = None if judge is None else office.with_policy(judge)
        return await consume(approval)

    monkeypatch.setattr(office.desk, "consume", reload_meanwhile)
    resolving = await office.approved_while_held()
    await office.approve()
    if judge is None:
        with pytest.raises(Refusal):
            await resolving
    else:
        assert (await resolving).decision.verdict is Verdict.DENY
    assert await office.state() is State.CONSUMED
    assert office.is_unspent()


@pytest.mark.parametrize("error", [StateError("no disk"), asyncio.CancelledError(), RuntimeError("a defect")])
async def test_what_fails_while_it_is_used_up_spends_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, error: BaseException
):
    """Whether the database, the agent or we ourselves gave up: the call does not run, and its budget is there."""

    async def fail(_: Approval) -> bool:
        raise error

    monkeypatch.setattr(office.desk, "consume", fail)
    resolving = asyncio.ensure_future(office.resolve())
    await eventually(lambda: office.announced)
    await office.approve()
    if isinstance(error, StateError):
        assert (await resolving).decision.verdict is Verdict.ERROR
    else:
        with pytest.raises(type(error)):
            await resolving
    assert office.is_unspent()


async def test_an_approval_that_expires_while_the_call_is_held_is_over(office: Office):
    """The agent is told to ask again; deciding is too late."""
    resolving = await office.approved_while_held()
    office.clock.advance(ns=LIFETIME_NS)
    await office.desk.sweep()
    decision = (await resolving).decision
    assert decision.verdict is Verdict.DENY
    assert decision.message == (
        f"Approval {office.announced[0].id} of this call has expired. Repeat the call to ask for another."
    )


async def test_a_call_that_was_cancelled_while_it_is_held_does_not_run(office: Office):
    """The agent has said so in the same session; then an approval comes too late, and is there for the next try."""
    resolving = await office.approved_while_held()
    await eventually(lambda: office.desk._waiting)
    for server, session, id in (
        ("other", "s", 1),
        ("binassist", "t", 1),
        ("binassist", None, 1),
        ("binassist", "s", 2),
    ):
        office.step.cancel(server, session, notification("notifications/cancelled", requestId=id))
    office.step.cancel("binassist", "s", notification("notifications/progress", requestId=1))
    assert not any(hold.is_cancelled for hold in office.step._holds.values())
    office.step.cancel("binassist", "s", notification("notifications/cancelled", requestId=1))
    await office.approve()
    resolution = await resolving
    assert resolution.decision.verdict is Verdict.PENDING
    assert await office.state() is State.APPROVED
    assert office.step._holds == {}


async def test_two_calls_held_for_one_approval_run_once(office: Office):
    """Both hear of it at the same moment."""
    resolving = [office.tasks.spawn(office.resolve(), "resolve") for _ in range(2)]
    await eventually(lambda: sum(map(len, office.desk._waiting.values())) == 2)
    await office.approve()
    verdicts = sorted([(await task).decision.verdict.value for task in resolving])
    assert verdicts in (["allow", "deny"], ["allow", "throttle"])
