"""How long an approval may be given, and a call held open for it."""

from typing import Any

import pytest

from gateway.policy.approvals import approval_faults, terms_of
from gateway.policy.decision import ApprovalTerms
from gateway.policy.model import Approval

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("fields", "terms"),
    [
        ({}, (600, 20)),
        ({"expires": "1h", "hold": "500ms"}, (3600, 0.5)),
        ({"expires": 1, "hold": 60}, (1, 60)),
        ({"expires": "30d", "hold": 0}, (30 * 86_400, 0)),
    ],
)
def test_terms_are_read(fields: dict[str, Any], terms: tuple[float, float]):
    """Durations with a unit, or seconds; what is left out has a default."""
    assert list(approval_faults(fields)) == []
    expires, hold = terms
    assert terms_of(Approval(**fields)) == ApprovalTerms(round(expires * SECOND_NS), round(hold * SECOND_NS))


@pytest.mark.parametrize(
    ("fields", "faulty"),
    [
        ({"hold": 60.1}, ["hold"]),
        ({"expires": "0s", "hold": "2m"}, ["expires", "hold"]),
        ({"expires": "31d"}, ["expires"]),
        ({"expires": "a while", "hold": "-1s"}, ["expires", "hold"]),
    ],
)
def test_times_beyond_their_bounds_are_faults(fields: dict[str, Any], faulty: list[str]):
    """Each is told by its field."""
    assert [field for field, _ in approval_faults(fields)] == faulty
