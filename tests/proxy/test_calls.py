"""Requests as calls of a policy."""

import pytest

from gateway.mcp.methods import LIST_MEMBERS, METHODS
from gateway.policy.decision import Call, Kind
from gateway.proxy.calls import call_of, kind_of_list, reference_of, resources_in
from tests.support.messages import call, request


def test_what_has_arguments_to_judge_is_a_call():
    """Tools and prompts with theirs; reading a resource has none."""
    assert call_of(call("get_code", n=1)) == Call(Kind.TOOL, "get_code", {"n": 1})
    assert call_of(request("prompts/get", name="p", arguments={"a": "b"})) == Call(Kind.PROMPT, "p", {"a": "b"})
    assert call_of(request("resources/read", uri="a://b")) == Call(Kind.RESOURCE, "a://b", {})


CALLS = {"tools/call", "prompts/get", "resources/read"}


@pytest.mark.parametrize("method", [method for method in METHODS if method not in CALLS])
def test_nothing_else_is_a_call(method: str):
    """It is judged by a name alone, or not at all."""
    reference = {"type": "ref/prompt", "name": "p"}
    assert call_of(request(method, name="p", uri="a://b", taskId="t", ref=reference)) is None


def test_a_completion_follows_what_it_names():
    """A prompt by its name, a resource by its address or template."""
    prompt = request("completion/complete", ref={"type": "ref/prompt", "name": "p", "uri": "a://b"})
    resource = request("completion/complete", ref={"type": "ref/resource", "name": "p", "uri": "a://{b}"})
    assert reference_of(prompt) == (Kind.PROMPT, "p")
    assert reference_of(resource) == (Kind.RESOURCE, "a://{b}")


def test_a_subscription_may_name_resources():
    """Any number of them, none where it leaves them out."""
    wanted = {"toolsListChanged": True, "resourceSubscriptions": ["a://b", "a://c"]}
    assert resources_in(request("subscriptions/listen", notifications=wanted)) == ["a://b", "a://c"]
    assert resources_in(request("subscriptions/listen")) == []
    assert resources_in(request("subscriptions/listen", notifications={})) == []
    assert resources_in(request("subscriptions/listen", notifications={"resourceSubscriptions": None})) == []


def test_every_list_has_a_kind():
    """Templates are resources."""
    assert {member: kind_of_list(governance) for member, governance in LIST_MEMBERS.items()} == {
        "tools": Kind.TOOL,
        "resources": Kind.RESOURCE,
        "resourceTemplates": Kind.RESOURCE,
        "prompts": Kind.PROMPT,
    }
