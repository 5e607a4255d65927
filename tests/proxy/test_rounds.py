"""Rounds of a call: which ones are free."""

from typing import Any

import orjson
import pytest

from gateway.clock import ManualClock
from gateway.mcp.message import Request
from gateway.proxy import rounds as rounds_module
from gateway.proxy.rounds import LIFETIME_NS, Rounds
from tests.support.messages import modern

ALICE = ("binassist", "alice")


@pytest.fixture
def clock() -> ManualClock:
    """The clock of the rounds."""
    return ManualClock()


@pytest.fixture
def rounds(clock: ManualClock) -> Rounds:
    """No round is open."""
    return Rounds(clock)


def call(state: Any = None, tool: str = "t", **arguments: Any) -> Request:
    """A call, which goes on where it has a state."""
    more = {} if state is None else {"requestState": state, "inputResponses": {}}
    return modern("tools/call", name=tool, arguments=arguments, **more)


def asking(state: Any = "state", kind: str = "input_required") -> bytes:
    """An answer that asks for another round."""
    result = {"resultType": kind, "inputRequests": {}, "requestState": state}
    return orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result})


def answer(rounds: Rounds, request: Request, body: bytes) -> None:
    """The server's answer goes by."""
    assert rounds.watch(*ALICE, request, None).filter_json(body) == body


def test_a_round_that_was_asked_for_is_open_once(rounds: Rounds):
    """Until it has begun; the next answer may open another."""
    answer(rounds, call(a=1), asking())
    assert rounds.is_open(*ALICE, call("state", a=1))
    rounds.close(*ALICE, call("state", a=1))
    assert not rounds.is_open(*ALICE, call("state", a=1))
    answer(rounds, call("state", a=1), asking("next"))
    assert rounds.is_open(*ALICE, call("next", a=1))


@pytest.mark.parametrize(
    ("owner", "request_"),
    [
        (ALICE, call("other", a=1)),
        (ALICE, call("state", a=2)),
        (ALICE, call("state", a=1, b=1)),
        (ALICE, call("state", "u", a=1)),
        (ALICE, call(a=1)),
        (ALICE, call(["state"], a=1)),
        (("binassist", "bob"), call("state", a=1)),
        (("elsewhere", "alice"), call("state", a=1)),
    ],
)
def test_any_other_call_is_a_call_like_any_other(rounds: Rounds, owner: tuple[str, str], request_: Request):
    """Another state, other arguments, another tool, another grant: none of these was asked for."""
    answer(rounds, call(a=1), asking())
    assert not rounds.is_open(*owner, request_)


def test_the_order_of_arguments_does_not_matter(rounds: Rounds):
    """They are the same arguments."""
    answer(rounds, call(a=1, b={"c": 2, "d": 3}), asking())
    assert rounds.is_open(*ALICE, call("state", b={"d": 3, "c": 2}, a=1))


def test_a_round_closes_after_ten_minutes(rounds: Rounds, clock: ManualClock):
    """To the nanosecond."""
    answer(rounds, call(), asking())
    clock.advance(ns=LIFETIME_NS - 1)
    assert rounds.is_open(*ALICE, call("state"))
    clock.advance(ns=1)
    assert not rounds.is_open(*ALICE, call("state"))


@pytest.mark.parametrize(
    "body",
    [
        asking(kind="complete"),
        asking(state=5),
        orjson.dumps({"id": 1, "result": {"content": [{"text": "input_required"}], "requestState": "state"}}),
        orjson.dumps({"id": 1, "error": {"message": "input_required"}}),
        b'["input_required"]',
        b"input_required",
        b'{"result":{"resultType":"input_required","requestState":"x","requestState":"state"}}',
    ],
)
def test_an_answer_that_asks_for_nothing_opens_nothing(rounds: Rounds, body: bytes):
    """It passes all the same, readable or not."""
    answer(rounds, call(), body)
    assert not rounds.is_open(*ALICE, call("state"))


def test_an_answer_may_come_as_an_event(rounds: Rounds):
    """Byte for byte."""
    event = b"event: message\r\ndata: " + asking() + b"\r\n\r\n"
    assert rounds.watch(*ALICE, call(), None).filter_event(event) == event
    assert rounds.is_open(*ALICE, call("state"))


def test_only_so_many_rounds_are_remembered(rounds: Rounds, monkeypatch: pytest.MonkeyPatch):
    """The oldest is forgotten, and charged as a call."""
    monkeypatch.setattr(rounds_module, "MAX_ROUNDS", 2)
    for state in ("one", "two", "three"):
        answer(rounds, call(), asking(state))
    assert [rounds.is_open(*ALICE, call(state)) for state in ("one", "two", "three")] == [False, True, True]
