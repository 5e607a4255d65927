"""What both cores refuse to make, and how they handle words, slots and programs."""

import mmap

import pytest

from tests.differential.bench import SECOND_NS, Bench, LimitSpec

ANY_TIME = (SECOND_NS, 0)


def condition(core, op, value):
    return core.Condition(("x",), op, value)


@pytest.mark.parametrize(
    ("op", "value"),
    [
        ("LT", "1"),
        ("GTE", True),
        ("LTE", None),
        ("IN", ["a"]),
        ("NOT_IN", "a"),
        ("EXISTS", 1),
        ("REGEX", "a"),
    ],
)
def test_a_value_that_does_not_fit_its_operator_is_refused(core, op, value):
    """The mistake comes out when the condition is made, not when it is tested."""
    with pytest.raises(ValueError, match="cannot compare"):
        condition(core, getattr(core, op), value)


@pytest.mark.parametrize("op", [-1, 11])
def test_an_unknown_operator_is_refused(core, op):
    """There are eleven operators."""
    with pytest.raises(ValueError, match="cannot compare"):
        condition(core, op, 1)


@pytest.mark.parametrize(
    ("mistake", "field"),
    [
        ({"slot": -1}, "slot"),
        ({"kind": 3}, "kind"),
        ({"window_ns": SECOND_NS - 1}, "window_ns"),
        ({"window_ns": 366 * 86_400 * SECOND_NS + 1}, "window_ns"),
        ({"maximum": 0}, "maximum"),
        ({"maximum": 10**9 + 1}, "maximum"),
        ({"cost": 0}, "cost"),
        ({"cost": 2**63}, "cost"),
        ({"kind": 0, "cost": 2}, "cost"),
        ({"kind": 0, "cost_paths": (("x",),)}, "cost_paths"),
        ({"cost_paths": (("x", -1),)}, "step -1"),
        ({"cost_paths": (("x",),), "cost": -1}, "cost"),
        ({"burst": 0}, "burst"),
        ({"burst": 2**61 // (6 * SECOND_NS) + 1}, "burst"),
        ({"burst": 2**80}, "burst"),
    ],
)
def test_a_limit_beyond_its_bounds_is_refused(core, mistake, field):
    """The message names the field. The same limit without the mistake is fine."""
    limit = {
        "slot": 0,
        "kind": core.TOKEN_BUCKET,
        "window_ns": 60 * SECOND_NS,
        "maximum": 10,
        "burst": 1,
        "cost": 1,
    }
    core.Limit(**limit)
    with pytest.raises(ValueError, match=field):
        core.Limit(**limit | mistake)


def test_the_burst_of_a_window_does_not_matter(core):
    """Only a token bucket has a burst."""
    core.Limit(0, core.SLIDING_WINDOW, SECOND_NS, 1, 0, 1)
    core.Limit(0, core.FIXED_WINDOW, SECOND_NS, 1, -1, 1)


def test_two_limits_in_one_slot_are_refused(core):
    """A call spends once on a counter."""
    limit = core.Limit(0, core.FIXED_WINDOW, SECOND_NS, 1, 1, 1)
    with pytest.raises(ValueError, match="share a slot"):
        core.Program((), (), (), (), (limit, limit))


def test_the_length_of_a_block(core):
    """A tag and a word; for a sliding window a tag, a cursor and a ring."""
    assert core.block_length(core.FIXED_WINDOW, 10) == core.block_length(core.TOKEN_BUCKET, 10) == 2
    assert core.block_length(core.SLIDING_WINDOW, 10) == 12
    with pytest.raises(ValueError, match="kind"):
        core.block_length(3, 10)


@pytest.mark.parametrize("buffer", [bytes(16), bytearray(15), memoryview(bytearray(24))[4:20]])
def test_a_buffer_that_cannot_hold_words_is_refused(core, buffer):
    """Words need memory that can be written, in whole words, at a multiple of eight."""
    with pytest.raises(ValueError, match="words need"):
        core.Words(buffer)


@pytest.mark.parametrize("make", [bytearray, lambda length: mmap.mmap(-1, length)], ids=["bytearray", "mmap"])
def test_words_are_the_buffer(core, make):
    """What is written is seen on the other side, and the buffer is free again after release."""
    buffer = make(24)
    words = core.Words(buffer)
    assert len(words) == 3
    words[1] = -2
    assert bytes(buffer[:]) == bytes(8) + (-2).to_bytes(8, "little", signed=True) + bytes(8)
    words.release()
    words.release()
    if isinstance(buffer, bytearray):
        buffer.clear()
    else:
        buffer.close()


@pytest.mark.parametrize("index", [-1, 3, 2**62])
def test_a_word_that_is_not_there(core, index):
    """No index reaches outside, on either end."""
    words = core.Words(bytearray(24))
    with pytest.raises(IndexError, match="no word"):
        words[index]
    with pytest.raises(IndexError, match="no word"):
        words[index] = 1


def test_released_words_bind_no_limit(core):
    """A decision after release is a refusal, not a crash."""
    bench = Bench(core, [LimitSpec(core.FIXED_WINDOW, SECOND_NS, 1)])
    assert bench.decide(*ANY_TIME)[0] == core.ALLOW
    bench.words.release()
    assert len(bench.words) == 0
    assert bench.decide(*ANY_TIME) == (core.UNBOUND, 0, 0, None)
    with pytest.raises(IndexError, match="no word"):
        bench.rollback(((core.FIXED_WINDOW, 4, 0, 1),), 0)


def test_a_slot_that_is_not_there(core):
    """Binding one is an error; a limit that names one is unbound."""
    slots = core.Slots(1)
    assert len(slots) == 1
    for slot in (-1, 1):
        with pytest.raises(IndexError, match="no slot"):
            slots.bind(slot, 1, 1)
    limit = core.Limit(1, core.FIXED_WINDOW, SECOND_NS, 5, 1, 2)
    words = core.Words(bytearray(80))
    program = core.Program((), (), (), (), (limit,))
    assert core.decide(program, None, words, slots, *ANY_TIME) == (core.UNBOUND, 0, 0, None)
    assert core.remaining(limit, words, slots, *ANY_TIME) == 2


@pytest.mark.parametrize(("offset", "tag"), [(-1, 1), (1, 0)])
def test_a_block_needs_a_place_and_a_tag(core, offset, tag):
    """Offset 0 alone means that a slot is unbound."""
    slots = core.Slots(1)
    with pytest.raises(ValueError, match="positive offset and a tag"):
        slots.bind(0, offset, tag)
    slots.bind(0, 0, 0)


def test_a_negative_number_of_slots_is_refused(core):
    """There can be none, but not fewer."""
    assert len(core.Slots(0)) == 0
    with pytest.raises(ValueError, match="count"):
        core.Slots(-1)


@pytest.mark.parametrize("time", [(2**62 + 1, 0), (-(2**62) - 1, 0), (0, 2**62 + 1), (0, -1)])
def test_a_clock_beyond_all_bounds_is_refused(core, time):
    """The bounds are what the sums of the compiled core rest on."""
    bench = Bench(core, [LimitSpec(core.FIXED_WINDOW, SECOND_NS, 1)])
    with pytest.raises(ValueError, match="_ns must be"):
        bench.decide(*time)
    with pytest.raises(ValueError, match="_ns must be"):
        bench.remaining(*time)


def test_rules_are_judged_before_limits(core):
    """A call that a rule refuses meets no limit, not even one that is not bound."""
    holds, fails = condition(core, core.EXISTS, True), condition(core, core.EXISTS, False)
    mistyped = core.Condition(("x", "y"), core.EXISTS, True)
    limit = core.Limit(0, core.FIXED_WINDOW, SECOND_NS, 1, 1, 1)

    def decide(require, deny_if):
        rules = [tuple(map(core.Rule, conditions)) for conditions in (require, deny_if)]
        program = core.Program(*rules, (), (), (limit,))
        return core.decide(program, {"x": 1}, core.Words(bytearray()), core.Slots(1), *ANY_TIME)

    assert decide([(), (holds, mistyped, fails)], [()]) == (core.REQUIRE, 1, 1, None)
    assert decide([(holds,)], [(fails, mistyped), (holds, mistyped)]) == (core.DENY_IF, 1, 1, None)
    assert decide([], [(fails,), (holds,)]) == (core.DENY_IF, 1, -1, None)
    assert decide([], [()]) == (core.DENY_IF, 0, -1, None)
    assert decide([()], [(holds, fails)]) == (core.UNBOUND, 0, 0, None)


class Check:
    """A check of all arguments that passes those with a `z`."""

    def is_valid(self, arguments):
        return "z" in arguments


def test_checks_and_approvals_come_between_rules_and_limits(core):
    """A failed check is named; what asks for approval is skipped once that is given; a free call meets no limit."""
    holds, mistyped = condition(core, core.EXISTS, True), core.Condition(("x", "y"), core.EXISTS, True)
    limit = core.Limit(0, core.FIXED_WINDOW, SECOND_NS, 1, 1, 1)
    asking = (core.Rule((condition(core, core.EXISTS, False),)), core.Rule((holds, mistyped)))
    program = core.Program((), (), (Check(), Check()), asking, (limit,))

    def decide(arguments, *flags):
        return core.decide(program, arguments, core.Words(bytearray()), core.Slots(1), *ANY_TIME, *flags)

    assert decide({"x": 1}) == decide({"x": 1}, True, True) == (core.INVALID, 0, 0, None)
    assert decide({"x": 1, "z": 1}) == decide({"x": 1, "z": 1}, False, True) == (core.APPROVE_IF, 1, 1, None)
    assert decide({"z": 1}) == (core.APPROVE_IF, 0, -1, None)
    assert decide({"x": 1, "z": 1}, True) == (core.UNBOUND, 0, 0, None)
    assert decide({"x": 1, "z": 1}, True, True) == (core.ALLOW, -1, 0, ())


def test_a_call_costs_the_largest_amount(core):
    """Of the limit's own cost and every argument that names one; the receipt has what was spent."""
    bench = Bench(core, [LimitSpec(core.FIXED_WINDOW, SECOND_NS, 10, cost=2, cost_paths=(("a",), ("b", 0)))])
    for arguments, cost in [({"a": 0, "b": [1]}, 2), ({"a": 3, "b": [1]}, 3), ({"a": 1, "b": [4.0]}, 4)]:
        code, _, _, receipt = bench.decide(1, 0, arguments)
        assert (code, [spend[3] for spend in receipt]) == (core.ALLOW, [cost])
    assert bench.decide(1, 0, {"a": 1, "b": [0]})[0] == core.THROTTLE
    assert bench.decide(1, 0, {"a": 11, "b": [0]})[0] == core.NEVER_FITS


@pytest.mark.parametrize("amount", [-1, 0.5, True, "1", None, [], {}, -0.5])
def test_an_amount_that_is_none_is_refused_by_its_path(core, amount):
    """Negative, fractional, missing, a boolean: whatever the state of the limit, bound or not."""
    bench = Bench(core, [LimitSpec(core.FIXED_WINDOW, SECOND_NS, 10, cost=0, cost_paths=(("a",), ("b",)))])
    bench.slots.bind(0, 0, 0)
    assert bench.decide(1, 0, {"a": 1, "b": amount}) == (core.BAD_COST, 0, 1, None)


def test_what_costs_nothing_does_not_touch_the_limit(core):
    """Neither a spent limit nor one without a block stops it, and there is nothing to give back."""
    free = LimitSpec(core.TOKEN_BUCKET, SECOND_NS, 1, cost=0, cost_paths=(("a",),))
    bench = Bench(core, [free, LimitSpec(core.FIXED_WINDOW, SECOND_NS, 5)])
    assert bench.decide(1, 0, {"a": 1})[0] == core.ALLOW
    assert bench.decide(1, 0, {"a": 1})[0] == core.THROTTLE
    code, _, _, receipt = bench.decide(1, 0, {"a": 0})
    assert (code, len(receipt)) == (core.ALLOW, 1)
    bench.slots.bind(0, 0, 0)
    assert bench.decide(1, 0, {"a": 0})[0] == core.ALLOW


@pytest.mark.parametrize("step", [-2, True, 1.0, None, 2**31])
def test_a_step_that_is_none_is_refused(core, step):
    """A path takes keys, indexes and EACH."""
    with pytest.raises(ValueError, match="cannot take the step"):
        core.Condition(("x", step), core.EXISTS, True)


def test_a_program_without_limits_spends_nothing(core):
    """It allows, with an empty receipt."""
    program = core.Program((), (), (), (), ())
    assert core.decide(program, {}, core.Words(bytearray()), core.Slots(0), 0, 0) == (core.ALLOW, -1, 0, ())
