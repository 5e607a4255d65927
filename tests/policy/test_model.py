"""The shapes of a policy document."""

import msgspec
import pytest

from gateway.policy.model import LARGEST_LIMIT, Limit, Policy, ToolRules

MODELS = [Policy, ToolRules, Limit]


def test_only_version_and_default_are_required():
    """The smallest policy denies or allows everything."""
    policy = msgspec.convert({"version": "1", "default": "deny"}, Policy)
    assert (policy.tools, policy.hide, policy.all_tools.limits) == ({}, (), ())


def test_an_empty_entry_allows_a_tool():
    """`{}` has no rules and the action `allow`."""
    assert msgspec.convert({}, ToolRules) == ToolRules(action="allow")


@pytest.mark.parametrize("largest", [0, LARGEST_LIMIT + 1, 1.0, True, "10"])
def test_max_is_a_whole_number_within_bounds(largest: object):
    """From 1 to a thousand million, and of no other type."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"counter": "c", "window": "minute", "max": largest}, Limit)


@pytest.mark.parametrize("model", MODELS)
def test_unknown_fields_are_refused(model: type[msgspec.Struct]):
    """A field that the model does not have is never ignored."""
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({"version": "1", "default": "deny", "nonsense": 1}, model)
