"""The table of approvals: each is asked for once, decided once, used once, and over in time."""

import secrets
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.clock import ManualClock
from gateway.store import approvals as module
from gateway.store.approval import State
from gateway.store.approvals import Approvals, NotPendingError, UnaskableError, UnknownApprovalError
from gateway.store.database import Database
from tests.support.approvals import CALL, LIFETIME_NS, ask, open_approvals, with_arguments


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database.open(tmp_path / "gateway.db")
    yield opened
    opened.close()


@pytest.fixture
def approvals(database: Database) -> Approvals:
    """An empty table."""
    return Approvals(database)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


def decide(approvals: Approvals, clock: ManualClock, id: str, state: State = State.APPROVED, reason: str = "") -> None:
    approvals.decide(id, state, approver="zoe", reason=reason, now_ns=clock.wall_ns())


def test_the_same_call_finds_the_same_approval(approvals: Approvals, clock: ManualClock):
    """Whoever repeats a call does not ask twice, and the time to decide is not prolonged."""
    first = ask(approvals, clock)
    clock.advance(seconds=60)
    assert ask(approvals, clock) == first
    assert first.expires_ns - first.asked_ns == LIFETIME_NS


def test_another_call_is_another_approval(approvals: Approvals, clock: ManualClock):
    """One changed argument, and one has to ask anew."""
    first = ask(approvals, clock)
    assert ask(approvals, clock, with_arguments(path="/etc", depth=2)).id != first.id


def test_an_approval_is_consumed_once(approvals: Approvals, clock: ManualClock):
    """The first use is the only one, and the next call asks anew."""
    first = ask(approvals, clock)
    assert not approvals.consume(first.id, clock.wall_ns())
    decide(approvals, clock, first.id)
    assert ask(approvals, clock).state is State.APPROVED
    assert [approvals.consume(first.id, clock.wall_ns()) for _ in range(3)] == [True, False, False]
    assert approvals.find(first.id, clock.wall_ns()).consumed_ns == clock.wall_ns()
    assert ask(approvals, clock).id != first.id


def test_of_many_at_once_one_consumes(tmp_path: Path, approvals: Approvals, clock: ManualClock):
    """Through connections of their own, as processes have them, one of eight is told that it may."""
    approval = ask(approvals, clock)
    decide(approvals, clock, approval.id)
    start = threading.Barrier(8)
    consumed: list[bool] = []

    def consume() -> None:
        database, mine = open_approvals(tmp_path)
        start.wait()
        consumed.append(mine.consume(approval.id, clock.wall_ns()))
        database.close()

    threads = [threading.Thread(target=consume) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(consumed) == [False] * 7 + [True]


@pytest.mark.parametrize("state", [State.PENDING, State.APPROVED])
def test_what_is_not_used_in_time_expires(approvals: Approvals, clock: ManualClock, state: State):
    """To the nanosecond, decided or not; it then counts for nothing, and the call asks anew."""
    approval = ask(approvals, clock)
    if state is State.APPROVED:
        decide(approvals, clock, approval.id)
    clock.advance(ns=LIFETIME_NS - 1)
    assert approvals.find(approval.id, clock.wall_ns()).state is state
    clock.advance(ns=1)
    assert approvals.find(approval.id, clock.wall_ns()).state is State.EXPIRED
    assert not approvals.consume(approval.id, clock.wall_ns())
    with pytest.raises(NotPendingError, match="expired at 2027-01-15T08:10:00Z; the agent has to ask again"):
        decide(approvals, clock, approval.id)
    assert ask(approvals, clock).id != approval.id


def test_a_denial_stands_until_it_expires(approvals: Approvals, clock: ManualClock):
    """A repeated call is told the same, and asks anew afterwards."""
    approval = ask(approvals, clock)
    decide(approvals, clock, approval.id, State.DENIED, "not today")
    found = ask(approvals, clock)
    assert (found.id, found.state, found.approver, found.reason) == (approval.id, State.DENIED, "zoe", "not today")
    clock.advance(ns=LIFETIME_NS)
    assert ask(approvals, clock).state is State.PENDING
    assert approvals.find(approval.id, clock.wall_ns()).state is State.DENIED


@pytest.mark.parametrize("first", [State.APPROVED, State.DENIED])
@pytest.mark.parametrize("second", [State.APPROVED, State.DENIED])
def test_a_decision_is_made_once(approvals: Approvals, clock: ManualClock, first: State, second: State):
    """The second is told who was faster, and changes nothing."""
    approval = ask(approvals, clock)
    decide(approvals, clock, approval.id, first)
    with pytest.raises(NotPendingError, match=f"{approval.id} is {first} by zoe already; nothing was changed"):
        decide(approvals, clock, approval.id, second)
    assert approvals.find(approval.id, clock.wall_ns()).state is first


def test_nothing_is_lost_with_the_process(tmp_path: Path, clock: ManualClock):
    """What was asked and approved is there for the next one."""
    database, before = open_approvals(tmp_path)
    approval = ask(before, clock)
    decide(before, clock, approval.id)
    database.close()
    database, after = open_approvals(tmp_path)
    assert ask(after, clock).id == approval.id
    assert after.consume(approval.id, clock.wall_ns())
    database.close()


def test_a_grant_asks_only_so_often_at_once(approvals: Approvals, clock: ManualClock):
    """Beyond the most the call is refused; other grants, decided ones and expired ones do not count."""
    calls = [with_arguments(number=number) for number in range(4)]
    first, second, _ = (ask(approvals, clock, call, most=3) for call in calls[:3])
    with pytest.raises(UnaskableError, match="3 calls of this grant wait for approval already"):
        ask(approvals, clock, calls[3], most=3)
    assert ask(approvals, clock, calls[0], most=3) == first
    ask(approvals, clock, msgspec.structs.replace(CALL, grant="bob"), most=3)
    decide(approvals, clock, second.id)
    ask(approvals, clock, calls[3], most=3)
    clock.advance(ns=LIFETIME_NS)
    ask(approvals, clock, with_arguments(number=5), most=1)


def test_arguments_that_nobody_would_read_are_refused(approvals: Approvals, clock: ManualClock):
    """A person is asked about up to 64 KiB, in bytes."""
    room = module.MAX_ARGUMENT_BYTES - len('{"x":""}')
    ask(approvals, clock, with_arguments(x="é" * (room // 2)))
    with pytest.raises(UnaskableError, match="longer than the 64 KiB"):
        ask(approvals, clock, with_arguments(x="é" * (room // 2 + 1)))


def test_the_beginning_of_an_id_will_do(approvals: Approvals, clock: ManualClock):
    """At least six characters, of either case; with fewer, none or several it is said what is wrong."""
    approval = ask(approvals, clock)
    for prefix in (approval.id, approval.id[:6], approval.id[:7].upper()):
        assert approvals.find(prefix, clock.wall_ns()) == approval
    for prefix in (approval.id[:5], "", "%%%%%%", "' OR 1=1 --", "______"):
        with pytest.raises(UnknownApprovalError, match="at least 6 of the characters"):
            approvals.find(prefix, clock.wall_ns())
    with pytest.raises(UnknownApprovalError, match="No approval has an id that begins with 000000"):
        approvals.find("000000", clock.wall_ns())


def test_an_ambiguous_beginning_is_refused(approvals: Approvals, clock: ManualClock, monkeypatch: pytest.MonkeyPatch):
    """Two approvals that begin alike have to be told apart."""
    letters = iter("abcdef0000abcdef1111")
    monkeypatch.setattr(secrets, "choice", lambda _: next(letters))
    for call in (CALL, with_arguments(x=1)):
        ask(approvals, clock, call)
    with pytest.raises(UnknownApprovalError, match="More than one approval has an id that begins with abcdef"):
        approvals.find("abcdef", clock.wall_ns())
    assert approvals.find("abcdef0", clock.wall_ns()).id == "abcdef0000"


def test_the_list_is_by_state_and_newest_first(approvals: Approvals, clock: ManualClock):
    """Each state as of now, whether or not anybody has looked since it changed."""
    made = [ask(approvals, clock, with_arguments(number=number)) for number in range(4)]
    decide(approvals, clock, made[0].id)
    decide(approvals, clock, made[1].id, State.DENIED)

    def ids(state: State | None) -> list[str]:
        return [approval.id for approval in approvals.listed(state, clock.wall_ns())]

    newest_first = [approval.id for approval in reversed(made)]
    assert ids(None) == newest_first
    assert ids(State.PENDING) == newest_first[:2]
    assert (ids(State.APPROVED), ids(State.DENIED)) == ([made[0].id], [made[1].id])
    clock.advance(ns=LIFETIME_NS)
    assert ids(State.PENDING) == []
    assert ids(State.EXPIRED) == [*newest_first[:2], made[0].id]


def test_what_is_decided_is_found_until_it_is_recorded(approvals: Approvals, clock: ManualClock):
    """Every decision and every expiry once; a question is no decision."""
    approval, other = ask(approvals, clock), ask(approvals, clock, with_arguments(x=1))
    swept = approvals.sweep(clock.wall_ns())
    assert (swept.unrecorded, swept.pending) == ([], 2)
    decide(approvals, clock, approval.id)
    for _ in range(2):
        [found] = approvals.sweep(clock.wall_ns()).unrecorded
        assert (found.id, found.state) == (approval.id, State.APPROVED)
    approvals.recorded([found])
    clock.advance(ns=LIFETIME_NS)
    swept = approvals.sweep(clock.wall_ns())
    assert [(found.id, found.state) for found in swept.unrecorded] == [
        (approval.id, State.EXPIRED),
        (other.id, State.EXPIRED),
    ]
    assert swept.pending == 0


def test_a_decision_that_was_used_at_once_is_still_recorded(approvals: Approvals, clock: ManualClock):
    """Between the decision and its record the call may have run; and one that expired meanwhile is found again."""
    approval, other = ask(approvals, clock), ask(approvals, clock, with_arguments(x=1))
    decide(approvals, clock, approval.id)
    decide(approvals, clock, other.id)
    found = approvals.sweep(clock.wall_ns()).unrecorded
    approvals.consume(approval.id, clock.wall_ns())
    assert approvals.sweep(clock.wall_ns()).unrecorded[0].state is State.CONSUMED
    clock.advance(ns=LIFETIME_NS)
    assert approvals.sweep(clock.wall_ns()).unrecorded[1].state is State.EXPIRED
    approvals.recorded(found)
    assert [left.id for left in approvals.sweep(clock.wall_ns()).unrecorded] == [other.id]


def test_the_oldest_are_forgotten(approvals: Approvals, clock: ManualClock, monkeypatch: pytest.MonkeyPatch):
    """What is over is kept up to a number; what is open, or not recorded yet, is never dropped."""
    monkeypatch.setattr(module, "MAX_KEPT", 2)
    made = [ask(approvals, clock, with_arguments(number=number)) for number in range(5)]
    for approval in made[1:4]:
        decide(approvals, clock, approval.id, State.DENIED)
    found = approvals.sweep(clock.wall_ns()).unrecorded
    assert len(approvals.listed(None, clock.wall_ns())) == 5
    approvals.recorded(found)
    approvals.sweep(clock.wall_ns())
    left = [approval.id for approval in approvals.listed(None, clock.wall_ns())]
    assert left == [made[4].id, made[3].id, made[0].id]


def test_ids_are_hard_to_guess_and_to_misread(approvals: Approvals, clock: ManualClock):
    """Ten characters, of 32 that cannot be taken for each other."""
    ids = {ask(approvals, clock, with_arguments(n=n), most=100).id for n in range(50)}
    assert len(ids) == 50
    used = set("".join(ids))
    assert used <= set(module._ALPHABET)
    assert not used & set("ilou")
