"""What each algorithm promises (policy.md, "Limits"), on both cores and over random lives of a limit."""

from collections import Counter
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.differential.bench import SECOND_NS, Bench, LimitSpec
from tests.support.cores import COMPILED

WINDOW_NS = 10 * SECOND_NS
START_NS = 1_000 * SECOND_NS
PAUSES_NS = st.sampled_from([0, 0, 1, SECOND_NS, WINDOW_NS // 2, WINDOW_NS - 1, WINDOW_NS, WINDOW_NS + 1])
PAUSES_NS |= st.integers(0, 2 * WINDOW_NS)
# A pause, and then how many calls ago was the one to roll back, or None for a call.
LIVES = st.lists(st.tuples(PAUSES_NS, st.none() | st.integers(0, 5)), min_size=8, max_size=60)

SPECS = [
    LimitSpec(COMPILED.SLIDING_WINDOW, WINDOW_NS, 3),
    LimitSpec(COMPILED.FIXED_WINDOW, WINDOW_NS, 5, cost=2),
    LimitSpec(COMPILED.TOKEN_BUCKET, WINDOW_NS, 10, 1),
    LimitSpec(COMPILED.TOKEN_BUCKET, WINDOW_NS, 3, 5, 2),
]

few_examples = settings(max_examples=100)


class Kept(NamedTuple):
    """A call that was admitted and not rolled back."""

    at_ns: int
    cost: int


def live(bench, life):
    """Go through a life; gives the calls that were kept and checks every refusal on the way."""
    now_ns = START_NS
    admitted: list[tuple[int, Any]] = []
    for pause_ns, back in life:
        now_ns += pause_ns
        if back is not None:
            if back < len(admitted):
                _, receipt = admitted.pop(-1 - back)
                bench.rollback(receipt, now_ns)
            continue
        before = bench.snapshot()
        code, _, wait_ns, receipt = bench.decide(now_ns, now_ns)
        if code == COMPILED.ALLOW:
            admitted.append((now_ns, receipt))
        else:
            assert bench.snapshot() == before
            assert_the_wait_is_exact(bench, now_ns, wait_ns)
    return [Kept(at_ns, sum(spec.cost for spec in bench.specs)) for at_ns, _ in admitted]


def assert_the_wait_is_exact(bench, now_ns, wait_ns):
    early, in_time = now_ns + wait_ns - 1, now_ns + wait_ns
    assert bench.copy().decide(early, early)[0] == COMPILED.THROTTLE
    assert bench.copy().decide(in_time, in_time)[0] == COMPILED.ALLOW


def most_in_a_window(kept):
    """The largest cost of the calls within one window, wherever it starts."""
    sums = [sum(call.cost for call in kept if 0 <= call.at_ns - first.at_ns < WINDOW_NS) for first in kept]
    return max(sums, default=0)


@few_examples
@given(maximum=st.integers(1, 4), life=LIVES)
def test_a_sliding_window_never_holds_more_than_its_maximum(core, maximum, life):
    """No window, wherever it starts, holds more than the maximum of calls that were kept."""
    bench = Bench(core, [LimitSpec(core.SLIDING_WINDOW, WINDOW_NS, maximum)])
    assert most_in_a_window(live(bench, life)) <= maximum


@few_examples
@given(maximum=st.integers(1, 7), burst=st.integers(1, 4), data=st.data(), life=LIVES)
def test_a_token_bucket_never_gives_more_than_its_burst_and_its_maximum(core, maximum, burst, data, life):
    """No window holds more than burst and maximum together, however late calls are rolled back."""
    cost = data.draw(st.integers(1, burst))
    bench = Bench(core, [LimitSpec(core.TOKEN_BUCKET, WINDOW_NS, maximum, burst, cost)])
    assert most_in_a_window(live(bench, life)) <= burst + maximum


@few_examples
@given(maximum=st.integers(1, 4), data=st.data(), life=LIVES)
def test_a_fixed_window_never_holds_more_than_its_maximum(core, maximum, data, life):
    """No window of the calendar holds more than the maximum."""
    cost = data.draw(st.integers(1, maximum))
    bench = Bench(core, [LimitSpec(core.FIXED_WINDOW, WINDOW_NS, maximum, cost=cost)])
    spent: Counter[int] = Counter()
    for call in live(bench, life):
        spent[call.at_ns // WINDOW_NS] += call.cost
    assert max(spent.values(), default=0) <= maximum


@few_examples
@given(walls_ns=st.lists(st.integers(0, 5 * WINDOW_NS), min_size=1, max_size=60))
def test_a_wall_clock_that_jumps_never_adds_budget(core, walls_ns):
    """Wherever the wall clock is set, a window is spent from once, and one before the first not at all."""
    bench = Bench(core, [LimitSpec(core.FIXED_WINDOW, WINDOW_NS, 2)])
    admitted = sum(bench.decide(1, wall_ns)[0] == core.ALLOW for wall_ns in walls_ns)
    windows_reached = max(walls_ns) // WINDOW_NS - walls_ns[0] // WINDOW_NS + 1
    assert admitted <= 2 * windows_reached


@few_examples
@given(life=LIVES)
def test_the_largest_wait_is_the_one_that_counts(core, life):
    """With several limits a refusal spends on none, and its wait is exact for all of them together."""
    bench = Bench(
        core,
        [
            LimitSpec(core.SLIDING_WINDOW, WINDOW_NS, 3),
            LimitSpec(core.FIXED_WINDOW, WINDOW_NS // 2, 2),
            LimitSpec(core.TOKEN_BUCKET, WINDOW_NS, 4, 2),
        ],
    )
    live(bench, life)


@few_examples
@given(spec=st.sampled_from(SPECS), life=LIVES)
def test_a_call_that_is_rolled_back_adds_no_budget(core, spec, life):
    """The calls that were kept would all have been admitted, had the others never been made."""
    kept = live(Bench(core, [spec]), life)
    clean = Bench(core, [spec])
    assert [clean.decide(call.at_ns, call.at_ns)[0] for call in kept] == [core.ALLOW] * len(kept)


@few_examples
@given(spec=st.sampled_from(SPECS), life=LIVES)
def test_what_remains_is_what_passes(core, spec, life):
    """As many calls as `remaining` says pass at once, and then no more."""
    bench = Bench(core, [spec])
    live(bench, life)
    now_ns = START_NS + sum(pause_ns for pause_ns, _ in life)
    (remaining,) = bench.remaining(now_ns, now_ns)
    codes = [bench.decide(now_ns, now_ns)[0] for _ in range(remaining + 1)]
    assert codes == [core.ALLOW] * remaining + [core.THROTTLE]
