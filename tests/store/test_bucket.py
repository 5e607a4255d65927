"""Buckets through reboots and edits: the words themselves. What callers notice is in test_counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import fastpath
from gateway.store.bucket import CounterSpec, carry, is_live, restamp
from tests.store.budget import ALGORITHMS, MINUTE, SECOND, bucket, fixed, sliding

NOW = 1_000 * SECOND
WALL = 1_800_000_000 * SECOND  # the start of a minute and of an hour
DAY = 24 * 60 * MINUTE


def window(number: int, count: int) -> int:
    return number << 30 | count


@pytest.mark.parametrize(
    ("kind", "window_ns", "maximum", "burst"),
    [
        (99, MINUTE, 1, 1),
        (fastpath.SLIDING_WINDOW, 0, 1, 1),
        (fastpath.FIXED_WINDOW, MINUTE, 0, 1),
        (fastpath.TOKEN_BUCKET, MINUTE, 1, 0),
        (fastpath.TOKEN_BUCKET, MINUTE, 1, 1 << 62),
    ],
)
def test_a_limit_that_cannot_be_is_refused(kind, window_ns, maximum, burst):
    """A spec with an unknown algorithm or a number out of range is never made."""
    with pytest.raises(ValueError, match=r"99|window_ns|maximum|burst"):
        CounterSpec(kind, window_ns, maximum, burst)


@pytest.mark.parametrize(
    ("spec", "body", "live"),
    [
        (sliding(2), [0, 0, 0], False),
        (sliding(2), [0, NOW - MINUTE, 0], False),
        (sliding(2), [0, NOW - MINUTE + 1, 0], True),
        (sliding(2), [0, NOW + 5, 0], True),
        (fixed(), [0], False),
        (fixed(), [window(WALL // MINUTE - 1, 9)], False),
        (fixed(), [window(WALL // MINUTE, 1)], True),
        (fixed(), [window(WALL // MINUTE + 1, 0)], True),
        (bucket(), [0], False),
        (bucket(), [NOW], False),
        (bucket(), [NOW + 1], True),
    ],
)
def test_a_bucket_is_live_until_its_window_has_passed(spec, body, live):
    """A bucket may be dropped exactly when it admits what a new one would."""
    assert is_live(spec, body, NOW, WALL) is live


def test_a_reboot_keeps_the_ages_of_calls():
    """Times move with the clock, those out of the window are freed, and later ones count as made now."""
    touched = 500 * SECOND
    body = [1, touched - 10 * SECOND, 0, touched - MINUTE, touched + SECOND]
    assert restamp(sliding(4), body, touched, 30 * SECOND) == [1, 20 * SECOND, 0, 0, 30 * SECOND]


def test_a_call_restamped_to_zero_stays_a_call():
    """Zero would mean a free word, so the call becomes a nanosecond younger."""
    assert restamp(sliding(1), [0, 100], 105, 5) == [0, 1]


def test_a_reboot_keeps_what_a_token_bucket_is_behind():
    """A bucket is as far behind as at the last touch, at most its capacity; a full one stays full."""
    assert restamp(bucket(), [100 * SECOND], 60 * SECOND, 3) == [40 * SECOND + 3]
    assert restamp(bucket(), [100 * SECOND], 100 * SECOND, 3) == [0]
    assert restamp(bucket(), [1 << 62], 0, 3) == [MINUTE + 3]


def test_a_reboot_leaves_fixed_windows_alone():
    """They are numbered by wall time."""
    assert restamp(fixed(), [window(7, 3)], 60 * SECOND, 3) == [window(7, 3)]


@given(
    st.sampled_from([sliding(4), bucket(4)]),
    st.lists(st.integers(-(1 << 63), (1 << 63) - 1), min_size=5, max_size=5),
    st.integers(0, 1 << 60),
    st.integers(0, 1 << 60),
)
def test_no_damaged_word_breaks_a_reboot(spec, words, touched_ns, now_ns):
    """Whatever a word holds, it becomes a 64-bit word no further ahead than its limit reaches."""
    body = words if spec == sliding(4) else words[:1]
    limits = restamp(spec, body, touched_ns, now_ns)[1 if spec == sliding(4) else 0 :]
    assert all(word == 0 or now_ns - MINUTE < word <= now_ns + MINUTE for word in limits)


def test_a_smaller_max_keeps_the_newest_calls():
    """Of four calls the newest two stay, and the hint points at the older of them."""
    assert carry(sliding(4), [2, 30, 40, 10, 20], sliding(2), NOW, WALL) == [0, 30, 40]


def test_a_max_that_is_lowered_and_raised_again_gives_nothing_back():
    """Calls still in the window that find no place in the ring stand behind it, and come back with it."""
    made = [NOW - seconds * SECOND for seconds in (4, 3, 2, 1)]
    lowered = carry(sliding(4), [0, *made], sliding(2), NOW, WALL)
    assert lowered == [0, *made[2:], *made[:2]]
    assert carry(sliding(2), lowered, sliding(4), NOW, WALL) == [0, *made]
    assert carry(sliding(2), lowered, sliding(2, 4 * SECOND), NOW, WALL) == [0, *made[2:], made[1]]
    assert restamp(sliding(2), lowered, NOW, NOW + SECOND)[3:] == [made[0] + SECOND, made[1] + SECOND]


def test_a_larger_max_keeps_every_call():
    """The hint points at the first free word."""
    assert carry(sliding(2), [1, 40, 30], sliding(4), NOW, WALL) == [2, 30, 40, 0, 0]


def test_a_longer_window_finds_the_calls_still_remembered():
    """A call that left the old window counts again when the new one reaches back to it."""
    body = carry(sliding(2), [0, NOW - 90 * SECOND, 0], sliding(2, 2 * MINUTE), NOW, WALL)
    assert is_live(sliding(2, 2 * MINUTE), body, NOW, WALL)


@pytest.mark.parametrize(
    ("old_window", "old_word", "new_window", "expected"),
    [
        (MINUTE, window(WALL // MINUTE, 7), MINUTE, window(WALL // MINUTE, 7)),
        (MINUTE, window(WALL // MINUTE - 1, 7), MINUTE, window(WALL // MINUTE, 0)),
        (MINUTE, window(WALL // MINUTE + 1, 7), MINUTE, window(WALL // MINUTE + 1, 7)),
        (MINUTE, window(WALL // MINUTE, 7), DAY, window(WALL // DAY, 7)),
        (MINUTE, window(WALL // MINUTE - 5, 7), DAY, window(WALL // DAY, 7)),
        (MINUTE, window(WALL // MINUTE - 3000, 7), DAY, window(WALL // DAY, 0)),
        (DAY, window(WALL // DAY, 7), MINUTE, window(WALL // MINUTE, 7)),
        (DAY, window(WALL // DAY - 1, 7), MINUTE, window(WALL // MINUTE, 0)),
        (DAY, window(WALL // DAY + 1, 7), MINUTE, window((WALL // DAY + 1) * 1440, 7)),
    ],
)
def test_a_fixed_window_of_another_length_takes_the_calls_that_may_be_in_it(old_window, old_word, new_window, expected):
    """The count moves if the old window overlaps the new; a window ahead of the clock stays ahead."""
    assert carry(fixed(9, old_window), [old_word], fixed(5, new_window), NOW, WALL) == [expected]


def test_a_burst_that_is_lowered_and_raised_again_gives_nothing_back():
    """Of eight tokens spent at once, none comes back by way of a burst of one."""
    wide, narrow = (CounterSpec(fastpath.TOKEN_BUCKET, MINUTE, 6, burst) for burst in (8, 1))
    spent = [NOW + 80 * SECOND]
    assert carry(narrow, carry(wide, spent, narrow, NOW, WALL), wide, NOW, WALL) == spent
    assert carry(wide, [NOW - 1], narrow, NOW, WALL) == [0]


def test_a_token_bucket_keeps_the_tokens_it_is_missing():
    """Three of ten tokens missing are three of five, or of ten in an hour; never more than there can be."""
    behind = [NOW + 18 * SECOND]
    assert carry(bucket(10), behind, bucket(5), NOW, WALL) == [NOW + 36 * SECOND]
    assert carry(bucket(10), behind, bucket(10, 60 * MINUTE), NOW, WALL) == [NOW + 18 * MINUTE]
    assert carry(bucket(10), behind, bucket(2), NOW, WALL) == [NOW + MINUTE]
    assert carry(bucket(10), [NOW - 1], bucket(5), NOW, WALL) == [0]


SPENT_THREE = {
    sliding: [3, NOW, NOW - 30 * SECOND, NOW - 59 * SECOND, *[0] * 7],
    fixed: [window(WALL // MINUTE, 3)],
    # A token that is partly won back is still missing.
    bucket: [NOW + 13 * SECOND],
}
CHARGED_THREE = {
    sliding: [3, *[NOW] * 3, *[0] * 7],
    fixed: [window(WALL // MINUTE, 3)],
    bucket: [NOW + 18 * SECOND],
}
CHANGES = [(old, new) for old in ALGORITHMS for new in ALGORITHMS if old is not new]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_a_changed_algorithm_charges_what_was_spent_as_of_now(old, new):
    """Three calls spent in the last window are three calls spent now."""
    assert carry(old(), SPENT_THREE[old], new(), NOW, WALL) == CHARGED_THREE[new]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_a_changed_algorithm_charges_at_most_its_own_max(old, new):
    """More than fits a ring or a bucket leaves it empty, not broken."""
    body = carry(old(), SPENT_THREE[old], new(2), NOW, WALL)
    assert body in ([0, NOW, NOW], [window(WALL // MINUTE, 3)], [NOW + MINUTE])


def test_a_changed_algorithm_looks_back_over_the_longer_window():
    """Calls that left the old window but may be in the new one are charged."""
    old = [0, NOW - 90 * SECOND, NOW - 30 * SECOND]
    assert carry(sliding(2), old, fixed(9, 2 * MINUTE), NOW, WALL) == [window(WALL // (2 * MINUTE), 2)]
    minute_before_last = [window(WALL // MINUTE - 2, 4)]
    assert carry(fixed(), minute_before_last, bucket(6, 2 * MINUTE), NOW, WALL) == [NOW + 80 * SECOND]
    assert carry(fixed(), minute_before_last, bucket(6), NOW, WALL) == [0]


def test_a_call_charged_at_time_zero_is_a_call():
    """Zero would mean a free word."""
    assert carry(fixed(), [window(WALL // MINUTE, 1)], sliding(2), 0, WALL) == [1, 1, 0]
