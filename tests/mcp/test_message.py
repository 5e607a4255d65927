"""Messages as values: what they name, what they carry, which revision they claim."""

import pytest

from gateway.mcp.message import (
    CLIENT_INFO_KEY,
    PROTOCOL_VERSION_KEY,
    Request,
    claimed_client,
    claimed_version,
    target_of,
)
from tests.support.messages import call, modern, notification, request, response


@pytest.mark.parametrize(
    ("method", "params", "target"),
    [
        ("tools/call", {"name": "cancel_task"}, "cancel_task"),
        ("prompts/get", {"name": "explain"}, "explain"),
        ("resources/read", {"uri": "binja://x"}, "binja://x"),
        ("tasks/get", {"taskId": "t-1"}, "t-1"),
        ("tools/list", {"name": "cancel_task"}, ""),
        ("prompts/get", {}, ""),
        ("prompts/get", {"name": ["explain"]}, ""),
        ("resources/read", {"uri": None}, ""),
        ("no/such", {"name": "x"}, ""),
    ],
)
def test_the_target_is_what_the_method_acts_on(method, params, target):
    """Each method's target stands in its own member; anything but a string there is no target."""
    assert target_of(method, params) == target


def test_requests_and_notifications_name_their_target_alike():
    """Both kinds of message read their target from the same place."""
    assert call("cancel_task").target == "cancel_task"
    assert notification("notifications/progress", progressToken=1).target == ""


@pytest.mark.parametrize("sent", [None, "text", 5, ["a", {"b": 1}], True])
def test_arguments_that_are_no_object_count_as_none(sent):
    """Whatever stands where the arguments of a prompt should be, there is an object to look at."""
    assert Request(1, "prompts/get", {"name": "p", "arguments": sent}, {}).arguments == {}


def test_arguments_are_those_sent():
    """The arguments of a call are handed on as they were read."""
    assert call("cancel_task", task_id="7", force=None).arguments == {"task_id": "7", "force": None}


def test_a_modern_request_claims_its_version():
    """The revision in `_meta` is read from requests and notifications alike."""
    assert claimed_version(modern("tools/list", "2026-07-28")) == "2026-07-28"
    assert claimed_version(notification(_meta={PROTOCOL_VERSION_KEY: "2027-01-01"})) == "2027-01-01"


@pytest.mark.parametrize(
    "message",
    [
        request("tools/list"),
        request("tools/list", _meta={"progressToken": 1}),
        request("tools/list", _meta={PROTOCOL_VERSION_KEY: 20260728}),
        response(),
    ],
    ids=["no _meta", "other _meta", "not a string", "a response"],
)
def test_other_messages_claim_none(message):
    """Without a revision in words there is no claim."""
    assert claimed_version(message) is None


@pytest.mark.parametrize(
    ("message", "client"),
    [
        (request("initialize", clientInfo={"name": "inspector", "version": "2.1"}), "inspector 2.1"),
        (request("tools/list", clientInfo={"name": "inspector", "version": "2.1"}), ""),
        (request("tools/list", _meta={CLIENT_INFO_KEY: {"name": "agent", "version": "1"}}), "agent 1"),
        (notification("notifications/x", _meta={CLIENT_INFO_KEY: {"name": "agent"}}), "agent"),
        (request("initialize", clientInfo={"name": ["x"], "version": 2}), ""),
        (request("initialize", clientInfo="x"), ""),
        (request("tools/list"), ""),
        (response(), ""),
    ],
)
def test_the_program_that_an_agent_claims_to_be(message, client):
    """From where its era puts it; anything else is nothing."""
    assert claimed_client(message) == client
