"""The webhook: what is sent, signed with what, and that it never holds anybody up."""

import hashlib
import hmac
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from gateway.admin import webhook as module
from gateway.admin.webhook import SIGNATURE, TIMESTAMP, Webhook, signature
from gateway.clock import ManualClock
from gateway.store.approval import Approval, State
from gateway.tasks import Tasks
from tests.support.approvals import CALL, LIFETIME_NS
from tests.support.receiver import Receiver
from tests.support.waiting import eventually

SECRET = b"a secret of the operator's"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    await receiver.start()
    yield receiver
    await receiver.stop()


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    """Whatever runs is ended."""
    tasks = Tasks()
    yield tasks
    await tasks.close()


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that a test can wait for; how many there are stays the same."""
    monkeypatch.setattr(module, "RETRY_AFTER_S", (0.0,) * len(module.RETRY_AFTER_S))


def approval(number: int = 0, clock: ManualClock | None = None) -> Approval:
    now_ns = (clock or ManualClock()).wall_ns()
    return Approval(f"{number:010}", State.PENDING, CALL, "strict", "/rule", "ab-1", now_ns, now_ns + LIFETIME_NS)


def webhook(receiver: Receiver, clock: ManualClock | None = None, **settings: Any) -> Webhook:
    return Webhook(receiver.url, SECRET, clock or ManualClock(), **{"include_arguments": False, **settings})


async def test_who_asks_for_what_is_sent_without_values(receiver: Receiver, tasks: Tasks):
    """Names of arguments only, with a signature over the time and the body."""
    sender = webhook(receiver)
    tasks.spawn(sender.run(), "webhook")
    sender.announce(approval())
    await eventually(lambda: receiver.requests)
    [(path, headers, body)] = receiver.requests
    assert path == "/hook?key=1"
    assert headers["Content-Type"] == "application/json"
    assert headers[TIMESTAMP] == "1800000000"
    expected = hmac.new(SECRET, b"1800000000." + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"sha256={expected}"
    assert orjson.loads(body) == {
        "type": "approval.asked",
        "id": "0000000000",
        "grant": "alice",
        "server": "binassist",
        "tool": "delete_all",
        "rule": "/rule",
        "asked": "2027-01-15T08:00:00Z",
        "expires": "2027-01-15T08:10:00Z",
        "argument_keys": ["depth", "path"],
    }
    assert b"/etc" not in body


async def test_values_are_sent_where_the_operator_wants_them(receiver: Receiver, tasks: Tasks):
    """`include_arguments` adds them."""
    sender = webhook(receiver, include_arguments=True)
    tasks.spawn(sender.run(), "webhook")
    sender.announce(approval())
    await eventually(lambda: receiver.requests)
    assert orjson.loads(receiver.requests[0][2])["arguments"] == {"depth": 1, "path": "/etc"}


@pytest.mark.parametrize("statuses", [[500], [404, 503], [307], [200]])
async def test_it_is_sent_until_it_is_accepted(receiver: Receiver, tasks: Tasks, statuses: list[int]):
    """Anything but a 2xx is tried again; a redirect is not followed."""
    receiver.statuses = list(statuses)
    sender = webhook(receiver)
    tasks.spawn(sender.run(), "webhook")
    sender.announce(approval(1))
    sender.announce(approval(2))
    attempts = len([status for status in statuses if status != 200]) + 2
    await eventually(lambda: len(receiver.requests) == attempts)
    assert [orjson.loads(body)["id"] for _, _, body in receiver.requests] == ["0000000001"] * (attempts - 1) + [
        "0000000002"
    ]
    assert {path for path, _, _ in receiver.requests} == {"/hook?key=1"}


async def test_it_is_given_up_after_a_while(receiver: Receiver, tasks: Tasks, caplog: pytest.LogCaptureFixture):
    """Six attempts, then the next message; the log has the id and no secret."""
    receiver.statuses = [500] * 6
    sender = webhook(receiver)
    tasks.spawn(sender.run(), "webhook")
    sender.announce(approval(1))
    sender.announce(approval(2))
    await eventually(lambda: len(receiver.requests) == 7)
    assert "approval 0000000001 could not be announced" in caplog.text
    assert "key=1" not in caplog.text


async def test_what_has_expired_is_not_tried_again(receiver: Receiver, tasks: Tasks):
    """Nobody can decide on it any more."""
    clock = ManualClock()
    sender, expired = webhook(receiver, clock), approval(1, clock)
    clock.advance(ns=LIFETIME_NS)
    receiver.statuses = [500]
    tasks.spawn(sender.run(), "webhook")
    sender.announce(expired)
    sender.announce(approval(2, clock))
    await eventually(lambda: len(receiver.requests) == 2)
    assert orjson.loads(receiver.requests[1][2])["id"] == "0000000002"


async def test_a_receiver_that_is_not_there_holds_nobody_up(
    receiver: Receiver, tasks: Tasks, caplog: pytest.LogCaptureFixture
):
    """Announcing never waits; what is too much is dropped and logged."""
    await receiver.stop()
    sender = webhook(receiver)
    for number in range(module.MAX_QUEUED + 1):
        sender.announce(approval(number))
    assert "dropped that of approval 0000000256" in caplog.text
    tasks.spawn(sender.run(), "webhook")
    await eventually(lambda: "approval 0000000003 could not be announced" in caplog.text)


async def test_a_receiver_that_does_not_answer_is_left(
    receiver: Receiver, tasks: Tasks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """Every attempt has a time-out."""
    monkeypatch.setattr(module, "TIMEOUT_S", 0.05)
    receiver.is_silent = True
    sender = webhook(receiver)
    tasks.spawn(sender.run(), "webhook")
    sender.announce(approval())
    await eventually(lambda: "could not be announced" in caplog.text)


def test_the_signature_is_over_the_time_as_well():
    """An old message with a new time, or another body, has another signature."""
    assert len({signature(SECRET, "1", b"{}"), signature(SECRET, "2", b"{}"), signature(SECRET, "1", b"[]")}) == 3
