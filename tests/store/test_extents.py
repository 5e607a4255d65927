"""Free stretches of words."""

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.extents import Extents


def test_everything_but_the_taken_is_free():
    """Only the gaps around what is taken are given out."""
    extents = Extents(1, 20, [(10, 3), (1, 4)])
    assert [extents.take(5), extents.take(7), extents.take(1)] == [5, 13, None]


def test_a_stretch_is_never_longer_than_its_gap():
    """Two gaps do not make one stretch, however much they have together."""
    extents = Extents(0, 10, [(4, 2)])
    assert extents.take(5) is None
    assert extents.take(4) == 0


def test_freed_neighbours_become_one_stretch():
    """What is given back joins with what is free before and after it."""
    extents = Extents(0, 9, [(0, 3), (3, 3), (6, 3)])
    for offset in (0, 6, 3):
        extents.give(offset, 3)
    assert extents.take(9) == 0


@given(st.lists(st.one_of(st.integers(1, 8), st.none()), max_size=60))
def test_no_word_is_given_out_twice_and_none_is_lost(steps):
    """Whatever is taken and given back, the taken stretches are disjoint and the rest stays available."""
    extents, taken = Extents(1, 33, []), dict[int, int]()
    for length in steps:
        if length is None:
            if taken:
                extents.give(*taken.popitem())
            continue
        offset = extents.take(length)
        used = {word for start, size in taken.items() for word in range(start, start + size)}
        if offset is None:
            free = "".join(" " if word in used else "." for word in range(1, 33))
            assert "." * length not in free
        else:
            stretch = set(range(offset, offset + length))
            assert not stretch & used
            assert stretch <= set(range(1, 33))
            taken[offset] = length
    for offset, size in taken.items():
        extents.give(offset, size)
    assert extents.take(32) == 1
