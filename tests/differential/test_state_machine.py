"""Both cores go through the same life of limits, and after every step they agree on answers and words."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.differential.bench import FIRST_TAG, SECOND_NS, Bench, LimitSpec
from tests.support.cores import COMPILED, PLAIN

DAY_NS = 86_400 * SECOND_NS
MAX_TIME_NS = 2**62
WINDOWS_NS = [SECOND_NS, SECOND_NS + 1, 60 * SECOND_NS, 7 * DAY_NS, 366 * DAY_NS - 1, 366 * DAY_NS]
EDGES = [0, 1, SECOND_NS, 2**30, 2**31, 2**32, 2**55, 2**61, 2**62, 2**63 - 1]
WORDS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(
    [word for edge in EDGES for word in (edge - 1, edge, edge + 1, -edge, -edge - 1) if word < 2**63]
)
STEPS_NS = st.sampled_from(
    [sign * (length + step) for length in [0, *WINDOWS_NS] for sign in (1, 1, -1) for step in (-1, 0, 1)]
) | st.integers(-(10**12), 10**13)

# Amounts that cost nothing, something, far too much, and what is no amount at all.
AMOUNTS = st.sampled_from(
    [
        0,
        1,
        2,
        10**9,
        10**9 + 1,
        2**61,
        2**63 - 1,
        2**63,
        2**64 - 1,
        2.0,
        -0.0,
        1e300,
        0.5,
        -1,
        -(2**63),
        True,
        "1",
        None,
    ]
)
ARGUMENTS = st.fixed_dictionaries({}, optional={"cost": AMOUNTS, "list": st.lists(AMOUNTS, max_size=2) | AMOUNTS})


@st.composite
def limit_specs(draw):
    """Limits at and around every bound that `Limit` has."""
    kind = draw(st.sampled_from([COMPILED.SLIDING_WINDOW, COMPILED.FIXED_WINDOW, COMPILED.TOKEN_BUCKET]))
    window_ns = draw(st.sampled_from(WINDOWS_NS))
    if kind == COMPILED.SLIDING_WINDOW:
        return LimitSpec(kind, window_ns, draw(st.integers(1, 4)))
    maximum = draw(st.sampled_from([1, 2, 3, 7, 10**9 - 1, 10**9]))
    largest_burst = 2**61 // -(-window_ns // maximum)
    burst = draw(st.sampled_from([1, 2, 3, largest_burst - 1, largest_burst]))
    largest = burst if kind == COMPILED.TOKEN_BUCKET else maximum
    cost = draw(st.sampled_from([1, 1, 2, max(1, largest - 1), largest, largest + 1, 2**63 - 1]))
    cost_paths = draw(st.sampled_from([(), (), (("cost",),), (("cost",), ("list", 1))]))
    return LimitSpec(kind, window_ns, maximum, burst, 0 if cost_paths and draw(st.booleans()) else cost, cost_paths)


class TwoCores(RuleBasedStateMachine):
    """The compiled core and the plain one, side by side."""

    @initialize(
        specs=st.lists(limit_specs(), min_size=1, max_size=3),
        now_ns=st.sampled_from([0, 1, SECOND_NS, -5, MAX_TIME_NS, -MAX_TIME_NS]) | st.integers(0, 10**15),
        wall_ns=st.sampled_from([0, 1, 10**18, 2**31 * SECOND_NS, MAX_TIME_NS]) | st.integers(0, MAX_TIME_NS),
    )
    def start(self, specs, now_ns, wall_ns):
        self.benches = [Bench(core, specs) for core in (COMPILED, PLAIN)]
        self.now_ns = now_ns
        self.wall_ns = wall_ns
        self.receipts = []

    def agree(self, act):
        """Do it on both: the results and all words are equal."""
        compiled, plain = (act(bench) for bench in self.benches)
        assert compiled == plain
        assert self.benches[0].snapshot() == self.benches[1].snapshot()
        return compiled

    @rule(times=st.integers(1, 4), arguments=ARGUMENTS)
    def calls(self, times, arguments=None):
        for _ in range(times):
            before = self.benches[0].snapshot()
            code, _, _, receipt = self.agree(lambda bench: bench.decide(self.now_ns, self.wall_ns, arguments))
            if code == COMPILED.ALLOW:
                self.receipts.append(receipt)
            else:
                assert self.benches[0].snapshot() == before

    @rule()
    def counts_what_remains(self):
        self.agree(lambda bench: bench.remaining(self.now_ns, self.wall_ns))

    @precondition(lambda self: self.receipts)
    @rule(data=st.data())
    def rolls_back(self, data):
        receipt = data.draw(st.sampled_from(self.receipts))
        self.agree(lambda bench: bench.rollback(receipt, self.now_ns))

    @rule(step_ns=STEPS_NS)
    def time_moves(self, step_ns):
        self.now_ns = max(-MAX_TIME_NS, min(self.now_ns + step_ns, MAX_TIME_NS))

    @rule(step_ns=STEPS_NS)
    def wall_clock_is_set(self, step_ns):
        self.wall_ns = max(0, min(self.wall_ns + step_ns, MAX_TIME_NS))

    @rule(data=st.data(), word=WORDS)
    def a_word_is_damaged(self, data, word):
        """Any word but a tag: after a damaged tag nothing more would happen."""
        slot = data.draw(st.integers(0, len(self.benches[0].specs) - 1))
        kind, _, maximum, *_ = self.benches[0].specs[slot]
        place = data.draw(st.integers(1, COMPILED.block_length(kind, maximum) - 1))
        self.agree(lambda bench: bench.words.__setitem__(bench.blocks[slot] + place, word))

    @rule(data=st.data(), tag=WORDS.filter(bool))
    def a_slot_is_bound_elsewhere_for_a_call(self, data, tag):
        slot = data.draw(st.integers(0, len(self.benches[0].specs) - 1))
        block, end = self.benches[0].blocks[slot], len(self.benches[0].words)
        offset = data.draw(st.sampled_from([0, 1, block, block + 1, end - 2, end - 1, end, 2**63 - 1]))
        self.agree(lambda bench: bench.slots.bind(slot, offset, tag))
        self.calls(times=1)
        self.agree(lambda bench: bench.slots.bind(slot, block, FIRST_TAG + slot))


TwoCores.TestCase.settings = settings(max_examples=200, stateful_step_count=40)
TestTwoCores = TwoCores.TestCase
