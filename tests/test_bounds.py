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
