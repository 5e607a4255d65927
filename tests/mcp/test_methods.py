"""The table of methods: complete, and consistent in itself."""

import pytest

from gateway.mcp.methods import LIST_MEMBERS, METHODS, NOTIFICATIONS, TARGET_MEMBER, Governance


@pytest.mark.parametrize("method", TARGET_MEMBER)
def test_only_known_methods_have_a_target(method):
    """A target without a method would never be looked at."""
    assert method in METHODS


def test_everything_that_acts_on_one_thing_names_it():
    """Each call, read, prompt and task request (but the list of tasks) has a target to judge and record."""
    acting = {Governance.TOOL_CALL, Governance.RESOURCE, Governance.PROMPT, Governance.TASK}
    named = {method for method, governance in METHODS.items() if governance in acting}
    assert named - TARGET_MEMBER.keys() == {"tasks/list"}


def test_every_kind_of_list_has_its_member():
    """A list that is governed can be found in a result, and nothing else is taken for one."""
    lists = {Governance.TOOL_LIST, Governance.RESOURCE_LIST, Governance.PROMPT_LIST}
    assert set(LIST_MEMBERS.values()) == lists
    assert {governance for method, governance in METHODS.items() if method.endswith("/list")} - lists == {
        Governance.TASK
    }


def test_what_is_not_governed_is_a_closed_set():
    """Only the handshake, liveness and bookkeeping pass without a look at the policy."""
    free = {method for method, governance in METHODS.items() if governance is Governance.PROTOCOL}
    assert free == {"initialize", "ping", "server/discover", "logging/setLevel"}


def test_notifications_are_told_apart_from_methods():
    """Every known notification has the prefix that the parser goes by, and no method has."""
    assert all(name.startswith("notifications/") for name in NOTIFICATIONS)
    assert not any(name.startswith("notifications/") for name in METHODS)
