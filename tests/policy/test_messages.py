"""What agents are told, where the vectors of `tests/vectors/policy` do not show it."""

import pytest

from gateway import fastpath
from gateway.policy.limits import Counter
from gateway.policy.messages import never_fits, not_allowed, requirement_missed, throttled
from gateway.policy.model import Condition, Rule

COUNTER = Counter("c", fastpath.SLIDING_WINDOW, 60_000_000_000, 10, 10)


@pytest.mark.parametrize(
    ("wait_ms", "words"),
    [
        (1, "0.1 s"),
        (100, "0.1 s"),
        (101, "0.2 s"),
        (41_200, "41.2 s"),
        (41_201, "41.3 s"),
        (60_000, "60 s"),
        (119_900, "119.9 s"),
        (119_901, "2 min 0 s"),
        (3_599_000, "59 min 59 s"),
        (3_599_001, "1 h 0 min"),
        (3_600_001, "1 h 1 min"),
        (86_400_000, "24 h 0 min"),
    ],
)
def test_a_wait_is_rounded_up(wait_ms: int, words: str):
    """Whoever waits as long as the sentence says does not come too early."""
    text = throttled("t", COUNTER, is_shared=False, on_deny=None, wait_ms=wait_ms)
    assert text == f"t is limited to 10 calls a minute. Try again in {words}."


def test_a_cost_beyond_the_limit_is_no_matter_of_waiting():
    """The sentence says that waiting does not help; the policy's own text comes first."""
    assert never_fits("t", COUNTER, on_deny=None) == (
        "One call of t costs more than the limit of 10 calls a minute ever admits."
    )
    assert never_fits("t", COUNTER, on_deny="Too much at once.") == "Too much at once."


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a" * 128, "a" * 128),
        ("a" * 129, "a" * 128 + "…"),
        ("größe", "größe"),
        ("a\x00\n\x1b[1m", r"a\u{0}\u{a}\u{1b}[1m"),
        ("\u202egnp.exe\u200b", r"\u{202e}gnp.exe\u{200b}"),
        ("", ""),
    ],
)
def test_a_callers_name_is_shown_short_and_printable(name: str, shown: str):
    """No name can break a line, colour a terminal, turn text around or fill a page."""
    assert not_allowed(name) == f"{shown} is not allowed by this policy."


def test_a_long_value_of_the_policy_is_cut():
    """A list of a thousand names does not become a message of a thousand names."""
    condition = Condition("args.a", "in", [f"name{number}" for number in range(1000)])
    text = requirement_missed("t", Rule((condition,)), condition)
    assert text.startswith('t is allowed only when args.a is one of ["name0","name1"')
    assert text.endswith("….")
    assert len(text) < 300
