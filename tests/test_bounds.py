"""The bounds as values: what holds where nothing is configured."""

import msgspec

from gateway.bounds import Bounds
from gateway.config_file import BoundsEntry, bound_s


def test_the_file_has_the_same_defaults():
    """A configuration without `bounds` is one that writes the defaults out."""
    written = msgspec.structs.asdict(BoundsEntry())
    bounds = msgspec.structs.asdict(Bounds())
    assert {name: bounds.get(name) or bounds[f"{name}_s"] for name in written} == written
    assert len(bounds) == len(written)
    assert bound_s(BoundsEntry().drain) == Bounds().drain_s


def test_a_grants_connections_suffice_for_what_it_may_have_under_way_and_waiting():
    """Otherwise one of the two bounds would never be met over HTTP."""
    bounds = Bounds()
    assert 2 * bounds.requests_per_grant <= bounds.connections_per_grant <= bounds.connections
