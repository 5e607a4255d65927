"""Numbers of ours for the agents' ids, on the way to a server and back."""

from typing import Any

import orjson
import pytest

from gateway.mcp.numbering import (
    LOG_LEVEL_KEY,
    SUBSCRIPTION_ID_KEY,
    answered,
    asks_for_log,
    is_log,
    number_of,
    numbered,
    restored,
)
from tests.support.messages import request

CALL = request("tools/call", "mine", name="t", _meta={"progressToken": "p", "other": 1})
LISTEN = request("subscriptions/listen", "sub", notifications={})


def test_a_request_goes_out_under_a_number():
    """Its id and its progress token are the number; everything else is as it was, in the same order."""
    sent = orjson.loads(numbered(CALL, 7))
    assert sent == CALL.body | {"id": 7, "params": CALL.params | {"_meta": {"progressToken": 7, "other": 1}}}
    assert list(sent) == list(CALL.body)
    assert CALL.body["id"] == "mine"


@pytest.mark.parametrize("meta", [{}, {"_meta": {}}, {"_meta": {"other": 1}}])
def test_who_asks_for_no_progress_gets_no_token(meta: dict[str, Any]):
    """Nothing is added to a request."""
    asked = request("tools/list", 3, **meta)
    assert orjson.loads(numbered(asked, 7)) == asked.body | {"id": 7}


@pytest.mark.parametrize(
    ("message", "number"),
    [
        ({"id": 7, "result": {}}, 7),
        ({"id": "7", "result": {}}, None),
        ({"id": True, "result": {}}, None),
        ({"id": 7.0, "result": {}}, None),
        ({"id": None, "error": {}}, None),
        ({"id": 7, "method": "ping"}, None),
        ({"method": "notifications/progress", "params": {"progressToken": 7}}, 7),
        ({"method": "notifications/progress", "params": {"progressToken": "7"}}, None),
        ({"method": "notifications/progress", "params": [7]}, None),
        ({"method": "notifications/cancelled", "params": {"requestId": 7}}, 7),
        ({"method": "notifications/x", "params": {"_meta": {SUBSCRIPTION_ID_KEY: 7}}}, 7),
        ({"method": "notifications/x", "params": {"_meta": 7}}, None),
        ({"method": "notifications/message", "params": {"data": 7}}, None),
        ({"method": "notifications/message"}, None),
    ],
)
def test_what_a_message_is_about(message: dict[str, Any], number: int | None):
    """The number that it names in its place, by exact type; a request of the server's is about nothing."""
    assert number_of(message) == number


def test_an_answer_keeps_its_bytes():
    """Only the id is replaced: numbers that JSON has and parsers lose, and keys in their order, come through."""
    data = b'{"result":{"big":123456789012345678901234567890,"x": 1.0,"e":"\\u00e9"}, "jsonrpc":"2.0","id":7}'
    expected = b'{"result":{"big":123456789012345678901234567890,"x": 1.0,"e":"\\u00e9"},"jsonrpc":"2.0","id":"mine"}'
    assert answered(data, CALL) == expected


def test_the_answer_to_a_subscription():
    """It names the subscription, which gets back the agent's id; odd results pass as they are."""
    result = {"_meta": {SUBSCRIPTION_ID_KEY: 7}}
    back = orjson.loads(answered(orjson.dumps({"id": 7, "result": result}), LISTEN))
    assert back == {"id": "sub", "result": {"_meta": {SUBSCRIPTION_ID_KEY: "sub"}}}
    for odd in ([7], None, {"_meta": 7}, {}):
        assert orjson.loads(answered(orjson.dumps({"id": 7, "result": odd}), LISTEN)) == {"id": "sub", "result": odd}
    assert orjson.loads(answered(orjson.dumps({"id": 7, "result": result}), CALL))["result"] == result


def test_notifications_get_the_agents_names_back():
    """Progress the agent's token, a subscription's message the agent's id; the rest is as the server wrote it."""
    progress = b'{"method":"notifications/progress","params":{"progressToken":7,"progress":1.0,"total":1.50}}'
    assert restored(progress, CALL) == progress.replace(b"7", b'"p"')
    changed = {"method": "notifications/x", "params": {"uri": "a", "_meta": {SUBSCRIPTION_ID_KEY: 7, "k": 7}}}
    back = orjson.loads(restored(orjson.dumps(changed), LISTEN) or b"")
    assert back["params"] == {"uri": "a", "_meta": {SUBSCRIPTION_ID_KEY: "sub", "k": 7}}


def test_progress_that_was_not_asked_for_is_dropped():
    """Our number could be the token of another request of the agent's."""
    progress = b'{"method":"notifications/progress","params":{"progressToken":7}}'
    assert restored(progress, request("tools/list", 1)) is None


@pytest.mark.parametrize(
    ("rest", "expected"),
    [({"params": {}}, True), ({}, False), ({"params": None}, False), ({"params": []}, False), ({"id": 1}, False)],
)
def test_a_log_message_is_a_notification_with_params(rest: dict[str, Any], expected: bool):
    """Whatever else has its name is nothing that could be passed on."""
    assert is_log({"method": "notifications/message", **rest}) is expected
    assert not is_log({"method": "notifications/other", **rest})


def test_log_messages_are_asked_for():
    """In `_meta`, request by request."""
    assert asks_for_log(request("tools/list", 1, _meta={LOG_LEVEL_KEY: "info"}))
    assert not asks_for_log(CALL)
    assert not asks_for_log(request("tools/list", 1))
