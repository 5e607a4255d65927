"""What servers have said they announce."""

import orjson
import pytest

from gateway.proxy.announced import MAX_SESSIONS, Announced, Subscription, declared_lists

DECLARED = {"capabilities": {"tools": {"listChanged": True}, "resources": {"listChanged": False}, "prompts": {}}}


def open_session(announced: Announced, session_id: str, *, server: str = "s", result: object = DECLARED) -> None:
    """An answer to `initialize` passes."""
    handshake = announced.handshake(server)
    assert handshake.opening(str.upper)(session_id) == session_id.upper()
    handshake.read(orjson.dumps({"jsonrpc": "2.0", "id": 1, "result": result}))


@pytest.mark.parametrize(
    "result",
    [{}, {"capabilities": None}, {"capabilities": []}, {"capabilities": {"tools": True}},
     {"capabilities": {"tools": {"listChanged": "true"}}}, {"capabilities": {"tools": {"listChanged": 1}}}],
)  # fmt: skip
def test_only_a_plain_yes_declares(result):
    """Anything but `listChanged: true` where it belongs is no promise."""
    assert declared_lists(result) == ()
    assert declared_lists(DECLARED) == ("tools",)


def test_a_promise_is_its_sessions():
    """Another session's, another server's and one without an id know nothing of it."""
    announced = Announced()
    open_session(announced, "a")
    announced.handshake("s").read(orjson.dumps({"result": DECLARED}))
    known = [announced.in_session(*session) for session in (("s", "a"), ("s", "b"), ("t", "a"))]
    assert known == [("tools",), (), ()]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"id":1}', b'{"result":1}', b"\xff"])
def test_what_cannot_be_read_teaches_nothing(data: bytes):
    """The agent gets it all the same, and makes of it what it can."""
    announced = Announced()
    handshake = announced.handshake("s")
    handshake.opening(str)("a")
    handshake.read(data)
    assert announced.in_session("s", "a") == ()


def test_the_memory_of_sessions_is_bounded():
    """The oldest is forgotten first."""
    announced = Announced()
    for number in range(MAX_SESSIONS + 1):
        open_session(announced, str(number))
    assert announced.in_session("s", "0") == ()
    assert announced.in_session("s", "1") == announced.in_session("s", str(MAX_SESSIONS)) == ("tools",)


def test_a_subscription_has_what_the_server_agreed_to():
    """The acknowledgement says so; no other message does."""
    subscription = Subscription()
    agreed = {"toolsListChanged": True, "promptsListChanged": False, "resourcesListChanged": True, "more": True}
    for method in ("notifications/message", "notifications/subscriptions/acknowledged"):
        assert subscription.lists == ()
        subscription.read(orjson.dumps({"method": method, "params": {"notifications": agreed}}))
    assert subscription.lists == ("tools", "resources")
    subscription.read(b'{"method":"notifications/subscriptions/acknowledged","params":[]}')
    assert subscription.lists == ("tools", "resources")
