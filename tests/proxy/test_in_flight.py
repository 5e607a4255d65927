"""Places among the calls in flight."""

from gateway.proxy.in_flight import InFlight

ALICE, BOB = ("binassist", "alice"), ("binassist", "bob")


def test_places_are_counted_for_each_grant_and_rule():
    """A call may take several; another grant has its own."""
    in_flight = InFlight()
    in_flight.take(ALICE, ["a", "b"])
    in_flight.take(ALICE, ["a"])
    assert [in_flight.count(ALICE, rule) for rule in "abc"] == [2, 1, 0]
    assert in_flight.count(BOB, "a") == 0


def test_a_place_is_free_again():
    """What was taken is given back, and nothing is left behind."""
    in_flight = InFlight()
    in_flight.take(ALICE, ["a", "b"])
    in_flight.take(ALICE, ["a"])
    in_flight.give_back(ALICE, ["a", "b"])
    assert [in_flight.count(ALICE, rule) for rule in "ab"] == [1, 0]
