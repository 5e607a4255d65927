"""What is said of arguments in records."""

import hashlib

import pytest

from gateway.audit.event import MAX_KEYS
from gateway.proxy import recorded_arguments
from tests.support.grants import grant
from tests.support.messages import call, notification, request, response


class Fingerprints:
    """Hashes that are not keyed."""

    def fingerprint(self, value: bytes) -> str:
        return hashlib.sha256(value).hexdigest()


def test_names_are_sorted_and_bounded():
    """Beyond the bound there is only how many there are."""
    assert recorded_arguments.keys(call(b=1, a=2)) == ("a", "b")
    many = recorded_arguments.keys(
        request("tools/call", name="t", arguments={f"k{number:03d}": 1 for number in range(MAX_KEYS + 1)})
    )
    assert (len(many), many[0], many[-1]) == (MAX_KEYS + 1, "k000", f"… ({MAX_KEYS + 1} keys)")


@pytest.mark.parametrize("message", [None, notification(), response()], ids=["none", "notification", "response"])
def test_what_is_no_request_has_no_arguments(message):
    """Neither names, nor a hash, nor values."""
    assert recorded_arguments.keys(message) == ()
    assert recorded_arguments.fingerprint(Fingerprints(), message) == ""
    assert recorded_arguments.kept(grant(), message) == {}


def test_the_hash_is_of_the_canonical_form():
    """Order of keys and form of numbers do not matter; without arguments there is none."""
    first, second, third = (
        recorded_arguments.fingerprint(Fingerprints(), call(**arguments))
        for arguments in ({"a": 1, "b": 2}, {"b": 2.0, "a": 1}, {"a": 1, "b": "2"})
    )
    assert first == second != third
    assert recorded_arguments.fingerprint(Fingerprints(), request("tools/list")) == ""


def test_only_values_that_the_policy_keeps_are_kept():
    """And of those none that is too large for a record."""
    keeper = grant(tools={"cancel_task": {"audit": {"keep": ["args.a", "args.large"]}}})
    assert recorded_arguments.kept(keeper, call(a=1, b=2, large="x" * 5000)) == {"args.a": 1}
