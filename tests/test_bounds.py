"""The section `bounds`: its defaults, and what is refused in it."""

import pytest

from gateway.bounds import Bounds, BoundsEntry, bounds, bounds_faults, span_s


def test_nothing_written_is_the_defaults():
    """A configuration without the section has the bounds that a snapshot without one has."""
    assert bounds(BoundsEntry()) == Bounds()


def test_what_is_written_holds():
    """Each field has its bound, durations in seconds."""
    entry = BoundsEntry(2, 3, 4, 5, "6s", "7ms", 8)
    assert bounds(entry) == Bounds(2, 3, 4, 5, 6, 0.007, 8)


@pytest.mark.parametrize("written", ["0s", "61m", -1, 0, 3601])
def test_spans_have_a_bound_themselves(written: float | str):
    """More than nothing and at most an hour; the fault is where it is written."""
    with pytest.raises(ValueError, match="at most 1h"):
        span_s(written)
    faults = list(bounds_faults({("bounds", "drain"): written, ("bounds", "wait"): "1s", ("other", "lag"): 0}))
    assert faults == [(("bounds", "drain"), "must be more than zero and at most 1h")]
