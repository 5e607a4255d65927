"""What each algorithm promises, and counting what happened."""

import pytest

from loadtests.promises import most_promised, most_within


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        ({"max": 10}, 10),
        ({"max": 10, "algorithm": "sliding_window"}, 10),
        ({"max": 10, "algorithm": "fixed_window"}, 20),
        ({"max": 10, "algorithm": "token_bucket"}, 20),
        ({"max": 10, "algorithm": "token_bucket", "burst": 3}, 13),
    ],
)
def test_the_promise_is_that_of_the_documents(limit, most):
    """As the table of docs/policy.md has it, for any span of one window."""
    assert most_promised(limit) == most


def test_an_algorithm_without_a_promise_is_not_judged():
    """What nobody promised anything for is an error, never a limit that holds."""
    with pytest.raises(ValueError, match="leaky"):
        most_promised({"max": 1, "algorithm": "leaky"})


@pytest.mark.parametrize(
    ("times", "most"),
    [([], 0), ([5], 1), ([0, 10], 1), ([0, 9], 2), ([0, 3, 9, 12, 13], 3), ([0, 0, 0, 100], 3)],
)
def test_the_fullest_span_counts(times, most):
    """A span of 10 holds what lies less than 10 apart."""
    assert most_within(times, 10) == most
