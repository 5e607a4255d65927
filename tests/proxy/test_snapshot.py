"""The one reference that a reload replaces."""

import pytest

from gateway.addresses import Addresses
from gateway.proxy.identity import Grants
from gateway.proxy.snapshot import InForce, Snapshot
from tests.support.grants import grant


def test_a_swap_leaves_the_old_snapshot_as_it_was():
    """Who still holds it sees nothing of the newer one, and nobody can change either."""
    addresses = Addresses.of("127.0.0.1")
    alice = grant()
    old = Snapshot(Grants([alice]), {}, {}, addresses, addresses, {})
    in_force = InForce(old)
    in_force.snapshot = Snapshot(Grants([]), {}, {}, addresses, addresses, {})
    assert old.grants.by_label == {"alice": alice}
    with pytest.raises(AttributeError):
        old.grants = in_force.snapshot.grants  # type: ignore[misc]
