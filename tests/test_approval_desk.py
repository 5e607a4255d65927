"""What happens to approvals is told to whoever waits, recorded and counted, whichever process decided."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.approval_desk import ApprovalDesk, Question
from gateway.audit.event import ApprovalRecord
from gateway.clock import ManualClock
from gateway.errors import StateError
from gateway.metrics import Metrics
from gateway.store.approval import Approval, State
from gateway.store.approvals import NotPendingError, UnaskableError, UnknownApprovalError
from gateway.store.database import Database
from gateway.tasks import Tasks
from tests.support.approvals import CALL, LIFETIME_NS, open_approvals, unusable, with_arguments
from tests.support.waiting import eventually

QUESTION = Question(CALL, "strict", "/tools/delete_all/action", "ab-1", LIFETIME_NS)


class Journal:
    """Records in memory."""

    def __init__(self) -> None:
        self.records: list[ApprovalRecord] = []
        self.is_full = False

    def append(self, record: ApprovalRecord) -> bool:
        if not self.is_full:
            self.records.append(record)
        return not self.is_full

    def now(self) -> str:
        return "now"

    @property
    def events(self) -> list[str]:
        return [record.event for record in self.records]


class Office:
    """A desk with everything around it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = ManualClock()
        self.database = Database.open(directory / "gateway.db")
        self.journal = Journal()
        self.metrics = Metrics("1", "python")
        self.tasks = Tasks()
        self.announced: list[Approval] = []
        self.desk = ApprovalDesk(
            self.database,
            records=self.journal,
            metrics=self.metrics,
            clock=self.clock,
            tasks=self.tasks,
            most_pending=2,
            announce=self.announced.append,
        )

    def sample(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, labels)

    def decide_elsewhere(self, approval: Approval, state: State = State.APPROVED) -> None:
        """As another process does."""
        database, approvals = open_approvals(self.directory)
        approvals.decide(approval.id, state, approver="zoe", reason="", now_ns=self.clock.wall_ns())
        database.close()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """A desk that has not been started."""
    office = Office(tmp_path)
    yield office
    await office.tasks.close()
    office.database.close()


async def test_a_question_is_recorded_and_announced_once(office: Office):
    """Who asks for what, until when; asking again is no news."""
    approval = await office.desk.ask(QUESTION)
    assert await office.desk.ask(QUESTION) == approval
    assert office.announced == [approval]
    [record] = office.journal.records
    assert record == ApprovalRecord(
        id=approval.id,
        time="now",
        event="asked",
        server="binassist",
        grant="alice",
        target="delete_all",
        rule="/tools/delete_all/action",
        policy="strict",
        revision="r1",
        exchange="ab-1",
        expires="2027-01-15T08:10:00Z",
        call_sha256=CALL.digest.hex(),
    )
    assert office.sample("mcp_gateway_approvals_pending") == 1


async def test_the_longest_wait_is_told(office: Office):
    """Of the oldest that waits, as each sweep finds it; nobody waits no time."""
    approval = await office.desk.ask(QUESTION)
    office.clock.advance(seconds=90)
    await office.desk.sweep()
    assert office.sample("mcp_gateway_approvals_oldest_seconds") == 90
    await office.desk.decide(approval.id, State.DENIED, approver="zoe", reason="")
    assert office.sample("mcp_gateway_approvals_oldest_seconds") == 0


@pytest.mark.parametrize("state", [State.APPROVED, State.DENIED])
async def test_a_decision_here_wakes_whoever_waits(office: Office, state: State):
    """At once, with name and reason, in the journal and in the numbers."""
    approval = await office.desk.ask(QUESTION)
    waiting = [asyncio.ensure_future(office.desk.wait(approval, 60)) for _ in range(2)]
    await eventually(lambda: len(office.desk._waiting.get(approval.id, ())) == 2)
    decided = await office.desk.decide(approval.id[:6], state, approver="zoe", reason="because")
    assert await asyncio.gather(*waiting) == [decided, decided]
    assert (decided.state, decided.approver, decided.reason) == (state, "zoe", "because")
    record = office.journal.records[-1]
    assert (record.event, record.approver, record.reason) == (state.value, "zoe", "because")
    assert record.decided == "2027-01-15T08:00:00Z"
    assert office.sample("mcp_gateway_approvals_total", outcome=state.value) == 1
    assert office.sample("mcp_gateway_approvals_pending") == 0
    assert office.desk._waiting == {}


async def test_a_decision_of_another_process_wakes_whoever_waits(office: Office):
    """The file is looked at while somebody waits, and only then."""
    approval = await office.desk.ask(QUESTION)
    assert len(office.tasks) == 0
    waiting = asyncio.ensure_future(office.desk.wait(approval, 60))
    await eventually(lambda: len(office.tasks) == 1)
    office.decide_elsewhere(approval)
    assert (await asyncio.wait_for(waiting, 10)).state is State.APPROVED
    assert office.journal.events == ["asked", "approved"]
    await eventually(lambda: len(office.tasks) == 0)


async def test_a_decision_made_before_the_wait_is_not_missed(office: Office):
    """Whoever comes late does not wait at all."""
    approval = await office.desk.ask(QUESTION)
    office.decide_elsewhere(approval)
    assert (await asyncio.wait_for(office.desk.wait(approval, 60), 10)).state is State.APPROVED


async def test_waiting_ends_with_the_hold_and_with_the_gateway(office: Office):
    """Undecided, the approval is given back as it stands; nobody is kept when the gateway stops."""
    approval = await office.desk.ask(QUESTION)
    assert (await office.desk.wait(approval, 0)).state is State.PENDING
    waiting = asyncio.ensure_future(office.desk.wait(approval, 60))
    await eventually(lambda: office.desk._waiting)
    office.desk.release()
    assert (await asyncio.wait_for(waiting, 10)).state is State.PENDING
    assert (await asyncio.wait_for(office.desk.wait(approval, 60), 10)).state is State.PENDING


async def test_what_was_decided_while_nobody_looked_is_recorded_at_the_start(office: Office):
    """A decision made while the gateway was stopped, and an expiry."""
    approval = await office.desk.ask(QUESTION)
    other = await office.desk.ask(Question(with_arguments(x=1), "p", "r", "e", 1))
    office.decide_elsewhere(approval, State.DENIED)
    office.clock.advance(seconds=1)
    office.desk.start()
    await eventually(lambda: len(office.journal.records) == 4)
    assert {(record.id, record.event) for record in office.journal.records[2:]} == {
        (approval.id, "denied"),
        (other.id, "expired"),
    }
    await office.desk.sweep()
    assert len(office.journal.records) == 4


async def test_what_cannot_be_recorded_is_recorded_later(office: Office):
    """A full disk keeps no decision out of the journal for good, nor anybody waiting for it."""
    approval = await office.desk.ask(QUESTION)
    office.journal.is_full = True
    waiting = asyncio.ensure_future(office.desk.wait(approval, 60))
    await eventually(lambda: office.desk._waiting)
    await office.desk.decide(approval.id, State.APPROVED, approver="zoe", reason="")
    assert (await waiting).state is State.APPROVED
    assert await office.desk.consume(approval)
    office.journal.is_full = False
    await office.desk.sweep()
    assert office.journal.events == ["asked", "approved"]
    assert office.sample("mcp_gateway_approvals_total", outcome="approved") == 1


async def test_an_approval_is_consumed_and_counted_once(office: Office):
    """The second attempt is told so."""
    approval = await office.desk.ask(QUESTION)
    assert not await office.desk.consume(approval)
    await office.desk.decide(approval.id, State.APPROVED, approver="zoe", reason="")
    assert [await office.desk.consume(approval), await office.desk.consume(approval)] == [True, False]
    assert office.sample("mcp_gateway_approvals_total", outcome="consumed") == 1
    assert [found.state for found in await office.desk.listed(None)] == [State.CONSUMED]


async def test_mistakes_are_told(office: Office):
    """Too many questions, an unknown id, and a decision that somebody else has made."""
    approval = await office.desk.ask(QUESTION)
    await office.desk.ask(Question(with_arguments(x=1), "p", "r", "e", LIFETIME_NS))
    with pytest.raises(UnaskableError, match="2 calls of this grant wait"):
        await office.desk.ask(Question(with_arguments(x=2), "p", "r", "e", LIFETIME_NS))
    with pytest.raises(UnknownApprovalError):
        await office.desk.find("000000")
    await office.desk.decide(approval.id, State.DENIED, approver="zoe", reason="")
    with pytest.raises(NotPendingError, match="denied by zoe already"):
        await office.desk.decide(approval.id, State.APPROVED, approver="max", reason="")


async def test_a_decision_stands_although_it_could_not_be_told(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Neither whoever decided nor the call that relies on it fails with the look that follows; it is logged."""

    async def fail() -> None:
        raise StateError("no disk")

    approval = await office.desk.ask(QUESTION)
    monkeypatch.setattr(office.desk, "sweep", fail)
    assert (await office.desk.decide(approval.id, State.APPROVED, approver="z", reason="")).state is State.APPROVED
    assert await office.desk.consume(approval)
    assert caplog.text.count("no disk") == 2


async def test_a_database_that_fails_does_not_end_the_sweeping(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """It is logged, and tried again."""
    monkeypatch.setattr("gateway.approval_desk.SWEEP_S", 0.01)
    with unusable(office.database.path):
        office.desk.start()
        await eventually(lambda: caplog.text.count("the database cannot be used") > 1)
    await office.desk.ask(QUESTION)
    office.clock.advance(ns=LIFETIME_NS)
    await eventually(lambda: office.journal.events == ["asked", "expired"])
