"""What an approval is bound to, and how it is shown to programs."""

import msgspec
import pytest

from gateway.store.approval import Approval, ExactCall, State
from tests.support.approvals import CALL


def test_the_same_call_has_the_same_digest():
    """The order of keys and the form of numbers are no part of a call."""
    again = ExactCall.of("alice", "binassist", "delete_all", {"depth": 1.0, "path": "/etc"}, "r1")
    assert again.digest == CALL.digest


@pytest.mark.parametrize("field", ["grant", "server", "tool", "arguments", "revision"])
def test_everything_is_part_of_the_digest(field: str):
    """Another grant, server, tool, argument or revision of the policy is another call."""
    changed = msgspec.structs.replace(CALL, **{field: getattr(CALL, field) + " "})
    assert changed.digest != CALL.digest


def test_the_parts_do_not_run_into_each_other():
    """What is moved from the end of one part to the beginning of the next is another call."""
    one, other = (ExactCall(grant, server, "t", "{}", "r") for grant, server in (("ab", "c"), ("a", "bc")))
    assert one.digest != other.digest


def test_programs_get_everything():
    """The arguments as JSON, times as text, and null for what has not happened."""
    approval = Approval("0123456789", State.PENDING, CALL, "strict", "/rule", "ab-1", 0, 600_000_000_000)
    assert approval.to_json() == {
        "id": "0123456789",
        "state": "pending",
        "grant": "alice",
        "server": "binassist",
        "tool": "delete_all",
        "arguments": {"depth": 1, "path": "/etc"},
        "policy": "strict",
        "revision": "r1",
        "rule": "/rule",
        "exchange": "ab-1",
        "asked": "1970-01-01T00:00:00Z",
        "expires": "1970-01-01T00:10:00Z",
        "decided": None,
        "approver": "",
        "reason": "",
        "consumed": None,
    }
    assert CALL.argument_keys == ["depth", "path"]
