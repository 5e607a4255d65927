"""Which era a request belongs to, and where headers and body contradict each other."""

import pytest

from gateway.mcp.codes import HEADER_MISMATCH, INVALID_PARAMS
from gateway.mcp.message import PROTOCOL_VERSION_KEY
from gateway.mcp.versions import Era, MismatchError, era_of
from tests.support.messages import modern, notification, request, response


@pytest.mark.parametrize("header", [None, "2025-03-26", "2025-06-18", "2025-11-25", "", "yesterday", "2026-07-28x"])
def test_a_request_without_a_version_in_its_body_is_legacy(header):
    """Whatever the header says short of a modern revision, it is the server's to accept or refuse."""
    assert era_of(request("tools/list"), header) is Era.LEGACY


@pytest.mark.parametrize("version", ["2026-07-28", "2027-01-15"])
def test_equal_versions_in_header_and_body_are_modern(version):
    """A revision that is newer than any we know of is still a modern one."""
    assert era_of(modern("tools/call", version, name="x"), version) is Era.MODERN


@pytest.mark.parametrize("header", [None, "", "2026-07-29", "2025-11-25", "2026-07-28 ", "2026-07-28, 2026-07-28"])
def test_a_header_that_differs_from_the_body_is_a_mismatch(header):
    """Of a modern request the header must be there and equal, to the letter."""
    with pytest.raises(MismatchError, match="differ") as raised:
        era_of(modern("tools/list", "2026-07-28"), header)
    assert raised.value.code == HEADER_MISMATCH


@pytest.mark.parametrize(
    "params",
    [{}, {"_meta": {}}, {"_meta": {PROTOCOL_VERSION_KEY: 20260728}}],
    ids=["none", "empty", "a number"],
)
def test_a_modern_header_needs_the_version_in_the_body(params):
    """Without it the request is one with missing parameters."""
    with pytest.raises(MismatchError, match=r"params\._meta") as raised:
        era_of(request("tools/list", **params), "2026-07-28")
    assert raised.value.code == INVALID_PARAMS


@pytest.mark.parametrize("header", [None, "2025-11-25", "2026-07-28"])
def test_initialize_is_always_legacy(header):
    """The handshake exists in the legacy eras only, whatever is claimed around it."""
    assert era_of(modern("initialize"), header) is Era.LEGACY


@pytest.mark.parametrize("message", [notification(), response()], ids=["notification", "response"])
@pytest.mark.parametrize(
    ("header", "era"), [(None, Era.LEGACY), ("2025-11-25", Era.LEGACY), ("2026-07-28", Era.MODERN)]
)
def test_messages_that_carry_no_version_go_by_the_header(message, header, era):
    """Notifications and responses need no `_meta`."""
    assert era_of(message, header) is era


def test_a_notification_that_carries_one_is_held_to_it():
    """A notification's version is compared like a request's."""
    message = notification(_meta={PROTOCOL_VERSION_KEY: "2026-07-28"})
    assert era_of(message, "2026-07-28") is Era.MODERN
    with pytest.raises(MismatchError):
        era_of(message, None)
