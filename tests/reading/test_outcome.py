"""Numbers that every JSON parser agrees on."""

import pytest

from gateway.reading.outcome import checked_integer


@pytest.mark.parametrize("digits", ["0", "-9223372036854775808", "18446744073709551615"])
def test_64_bits_are_kept_exactly(digits):
    """The smallest and the largest 64-bit number are read digit for digit."""
    assert str(checked_integer(digits)) == digits


@pytest.mark.parametrize("digits", ["-9223372036854775809", "18446744073709551616", "9" * 5000])
def test_more_than_64_bits_are_refused(digits):
    """A number that some parser would round or refuse is no number here."""
    with pytest.raises(ValueError, match="64 bits"):
        checked_integer(digits)
