"""The counter store, as the gate and its callers notice it."""

import contextlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import fastpath
from gateway.clock import ManualClock
from gateway.errors import CountersFullError, StateError
from gateway.store import counters
from gateway.store.counter_file import open_table
from gateway.store.counter_table import Entry, fingerprint
from gateway.store.counters import CounterStore
from tests.store.budget import ALGORITHMS, KEY, MINUTE, SECOND, Budget, bucket, fixed, sliding

BOOT = "this boot"
SPENDER = """
import sys
from pathlib import Path
from gateway import fastpath
from gateway.clock import SystemClock
from gateway.store.counters import CounterStore, read_boot_id
from tests.store.budget import Budget, sliding
clock = SystemClock()
store = CounterStore.open(Path(sys.argv[1]), clock, boot_id=read_boot_id())
budget = Budget(store, clock, sliding(10, 3_600_000_000_000))
print(budget.passing() if sys.argv[2] == "all" else budget.spend(int(sys.argv[2])), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "counters"


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def open_store(path, clock):
    """Open the store at `path`, with little room unless told; the last one opened is closed in the end."""
    with contextlib.ExitStack() as stack:

        def open_store(boot_id=BOOT, entries=8, words=256):
            store = open_small(path, clock, boot_id, entries, words)
            stack.callback(close_if_open, store)
            return store

        yield open_store


def open_small(path, clock, boot_id=BOOT, entries=8, words=256):
    return CounterStore.open(path, clock, boot_id=boot_id, entries=entries, words=words)


def close_if_open(store):
    with contextlib.suppress(ValueError):
        store.close()


def others(count):
    return [(*KEY[:3], f"grant-{number}") for number in range(count)]


# --- Binding ----------------------------------------------------------------------------------------------


def test_a_counter_has_one_block(open_store):
    """The same key and spec bind to the same words."""
    store = open_store()
    assert store.bind(KEY, sliding()) == store.bind(KEY, sliding())


def test_every_part_of_the_key_tells_counters_apart(open_store):
    """Another server, policy, counter or scope value has a budget of its own."""
    store = open_store()
    keys = [KEY, *((*KEY[:place], "other", *KEY[place + 1 :]) for place in range(4))]
    assert len({store.bind(key, sliding()) for key in keys}) == 5


@pytest.mark.parametrize("spec", ALGORITHMS)
def test_a_budget_outlives_the_store(open_store, clock, spec):
    """Closed and opened again, what was spent stays spent."""
    store = open_store()
    Budget(store, clock, spec()).spend(7)
    store.close()
    assert Budget(open_store(), clock, spec()).passing() == 3


def test_a_killed_gateway_remembers(tmp_path):
    """SIGKILL after seven calls: the next process of this boot may make exactly three more."""
    arguments = [sys.executable, "-c", SPENDER, tmp_path / "counters"]
    for calls, printed in [("7", b"None\n"), ("all", b"3\n")]:
        with subprocess.Popen([*arguments, calls], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as gateway:
            assert gateway.stdout is not None
            assert gateway.stdout.readline() == printed
            gateway.kill()


def test_a_second_store_on_the_same_file_is_refused(open_store):
    """Two gateways do not count on one file, and the first is not disturbed by the try."""
    store = open_store()
    with pytest.raises(StateError, match="in use by another gateway"):
        open_store()
    store.bind(KEY, sliding())


def test_a_store_that_fails_to_open_owns_nothing(path, open_store):
    """Once the file is put right, opening works."""
    path.write_bytes(b"x" * 8192)
    path.chmod(0o600)
    with pytest.raises(StateError, match="not a counter file"):
        open_store()
    path.unlink()
    open_store()


# --- Reboots ----------------------------------------------------------------------------------------------


def reboot(clock, monotonic_ns=30 * SECOND):
    return ManualClock(monotonic_ns=monotonic_ns, wall_ns=clock.wall_ns())


@pytest.mark.parametrize("spec", [sliding, bucket])
@pytest.mark.parametrize("uptime_ns", [0, 1, 20 * SECOND, 10**17])
def test_a_reboot_keeps_the_wait(path, open_store, clock, spec, uptime_ns):
    """The time to wait is what it was at the last touch, whatever the new monotonic clock reads."""
    store = open_store()
    budget = Budget(store, clock, spec())
    budget.spend(10)
    clock.advance(seconds=4)
    _, wait_ns = budget.decide()
    store.close()
    new_clock = reboot(clock, uptime_ns)
    with contextlib.closing(open_small(path, new_clock, "next boot")) as after:
        assert Budget(after, new_clock, spec()).decide() == (fastpath.THROTTLE, wait_ns)


def test_a_clock_that_went_backwards_is_another_boot(path, open_store, clock):
    """Where boots have no name that can be relied on, the monotonic clock itself betrays them."""
    store = open_store()
    Budget(store, clock, sliding()).spend(10)
    store.close()
    new_clock = reboot(clock)
    with contextlib.closing(open_small(path, new_clock)) as after:
        assert Budget(after, new_clock, sliding()).decide() == (fastpath.THROTTLE, MINUTE)


def test_a_second_reboot_counts_no_age_twice(path, open_store, clock):
    """Ages survive any number of reboots unchanged."""
    store = open_store()
    Budget(store, clock, sliding()).spend(10)
    clock.advance(seconds=10)
    store.close()
    for number in range(3):
        new_clock = reboot(clock, number * SECOND)
        with contextlib.closing(open_small(path, new_clock, f"boot {number}")) as after:
            assert Budget(after, new_clock, sliding()).decide() == (fastpath.THROTTLE, 50 * SECOND)


STEPS = st.lists(
    st.one_of(
        st.sampled_from(["call", "call", "touch"]),
        st.integers(0, 20 * SECOND),
        st.sampled_from([1, SECOND, MINUTE // 7, MINUTE - 1, MINUTE, MINUTE + 1]),
    ),
    max_size=20,
)
UPTIMES = st.one_of(st.integers(0, 10**15), st.sampled_from([0, 1, MINUTE, 10**17]))


@settings(max_examples=60)
@given(
    st.sampled_from([sliding(3), sliding(1), fixed(3), bucket(7), bucket(3, burst=1)]),
    STEPS,
    UPTIMES,
    UPTIMES,
)
def test_no_call_passes_earlier_for_a_reboot(spec, steps, off_ns, uptime_ns):
    """Killed at any moment and rebooted, no call passes before the time it would have passed otherwise."""
    with tempfile.TemporaryDirectory() as directory:
        clock = ManualClock()
        store = open_small(Path(directory, "counters"), clock)
        budget = Budget(store, clock, spec)
        for step in steps:
            match step:
                case "call":
                    budget.decide()
                case "touch":
                    store.touch()
                case int(ns):
                    clock.advance(ns=ns)
        shutil.copy(Path(directory, "counters"), Path(directory, "copy"))
        new_clock = ManualClock(monotonic_ns=uptime_ns, wall_ns=clock.wall_ns() + off_ns)
        with contextlib.closing(store):
            undisturbed = budget.greedy(8)
        with contextlib.closing(open_small(Path(directory, "copy"), new_clock, "next boot")) as after:
            rebooted = Budget(after, new_clock, spec).greedy(8)
        assert all(late + off_ns >= early for late, early in zip(rebooted, undisturbed, strict=True))


# --- Room -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [{"entries": 3}, {"words": 37}])
def test_a_full_table_refuses_the_new_and_keeps_the_live(open_store, clock, room):
    """No live counter is evicted, and every refusal is counted."""
    store = open_store(**room)
    budgets = [Budget(store, clock, sliding(), key) for key in others(3)]
    for budget in budgets:
        budget.spend(4)
    for refused in (1, 2):
        with pytest.raises(CountersFullError, match="beside the 3 that are kept"):
            store.bind(KEY, sliding())
        assert store.refused == refused
    assert [budget.passing() for budget in budgets] == [6, 6, 6]


@pytest.mark.parametrize("spec", ALGORITHMS)
def test_a_counter_whose_window_has_passed_makes_room(open_store, clock, spec):
    """Its slot is unbound, and both counters go on with all of their budget."""
    store = open_store(entries=1)
    first = Budget(store, clock, spec())
    first.spend(10)
    clock.advance(ns=2 * MINUTE)
    second = Budget(store, clock, spec(), others(1)[0])
    assert first.decide()[0] == fastpath.UNBOUND
    assert second.passing() == 10
    clock.advance(ns=2 * MINUTE)
    first.bind()
    assert second.decide()[0] == fastpath.UNBOUND
    assert first.passing() == 10


def test_a_reused_block_remembers_nothing(open_store, clock):
    """A new counter on old words starts full, even one that could still see the old calls."""
    store = open_store(entries=1)
    Budget(store, clock, sliding(10, MINUTE)).spend(10)
    clock.advance(ns=MINUTE)
    assert Budget(store, clock, sliding(10, 5 * MINUTE), others(1)[0]).passing() == 10


def test_a_full_table_is_not_swept_for_every_call(open_store, clock):
    """Room that appears is found within a second, however often it is asked for."""
    store = open_store(entries=1)
    Budget(store, clock, sliding(1, 10 * SECOND)).spend(1)
    clock.advance(ns=10 * SECOND - 1)
    for wait_ns in (0, 1, SECOND - 2):
        clock.advance(ns=wait_ns)
        with pytest.raises(CountersFullError):
            store.bind(others(1)[0], sliding())
    clock.advance(ns=1)
    store.bind(others(1)[0], sliding())


def test_a_file_can_be_given_more_room(open_store, clock):
    """Opened with more, the store goes on with the same budgets; opened with less, it keeps its room."""
    store = open_store(entries=1, words=14)
    Budget(store, clock, sliding()).spend(7)
    with pytest.raises(CountersFullError):
        store.bind(others(1)[0], sliding())
    store.close()
    for room in ({"entries": 2, "words": 26}, {"entries": 1, "words": 1}):
        store = open_store(**room)
        store.bind(others(1)[0], sliding())
        assert store.bind(KEY, sliding())
        store.close()
    assert Budget(open_store(), clock, sliding()).passing() == 3


# --- Edits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("old", ALGORITHMS)
@pytest.mark.parametrize("new", ALGORITHMS)
@pytest.mark.parametrize(("maximum", "left"), [(10, 7), (5, 2), (2, 0), (20, 17)])
def test_an_edited_limit_keeps_what_was_spent(open_store, clock, old, new, maximum, left):
    """Three of ten spent leave three less of the new max, whatever the algorithms."""
    store = open_store()
    Budget(store, clock, old(10)).spend(3)
    assert Budget(store, clock, new(maximum)).passing() == left


def test_an_edit_and_its_reverse_keep_what_was_spent(open_store, clock):
    """Going back and forth between two policies wins nothing."""
    store = open_store()
    Budget(store, clock, sliding(10)).spend(3)
    for spec in [bucket(7), sliding(10), fixed(20), sliding(10), sliding(5), sliding(10)]:
        budget = Budget(store, clock, spec)
    assert budget.passing() == 7


def test_the_slots_of_the_old_policy_are_unbound(open_store, clock):
    """A program compiled from the old policy cannot spend on words that no longer count."""
    store = open_store()
    old = Budget(store, clock, sliding(10))
    Budget(store, clock, sliding(5))
    assert old.decide()[0] == fastpath.UNBOUND


@settings(max_examples=60)
@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from([MINUTE, MINUTE // 2]),
    st.sampled_from([MINUTE // 2, MINUTE, 2 * MINUTE]),
    st.lists(st.integers(0, 40 * SECOND), max_size=10),
)
def test_no_window_over_an_edit_holds_more_than_the_new_max(a, b, old_window, new_window, pauses):
    """Of the calls still known at the edit and those after it, at most `b` pass in any new window."""
    with tempfile.TemporaryDirectory() as directory:
        clock = ManualClock()
        with contextlib.closing(open_small(Path(directory, "counters"), clock)) as store:
            budget, times = Budget(store, clock, sliding(a, old_window)), list[int]()
            for pause_ns in pauses:
                clock.advance(ns=pause_ns)
                if budget.decide()[0] == fastpath.ALLOW:
                    times.append(clock.monotonic_ns())
            edited_ns, known = clock.monotonic_ns(), times[-a:]
            in_window = sum(edited_ns - time_ns < new_window for time_ns in known)
            edited = Budget(store, clock, sliding(b, new_window))
            assert fastpath.remaining(edited.limit, store.words, edited.slots, edited_ns, clock.wall_ns()) == max(
                0, b - in_window
            )
            for passed_ns in edited.greedy(b + 2):
                known.append(edited_ns + passed_ns)
                assert sum(known[-1] - time_ns < new_window for time_ns in known) <= b


def test_a_late_rollback_touches_no_other_counter(open_store, clock):
    """A call spent before an edit and rolled back after it gives nothing to whoever has words since."""
    store = open_store()
    old = Budget(store, clock, bucket(10))
    old.spend(1)
    receipt = old.receipt
    assert receipt is not None
    Budget(store, clock, bucket(20))
    strangers = [Budget(store, clock, bucket(10), key) for key in others(6)]
    for stranger in strangers:
        stranger.spend(10)
    fastpath.rollback(store.words, receipt, clock.monotonic_ns())
    assert [stranger.passing() for stranger in strangers] == [0] * 6


def test_the_words_of_an_edited_counter_are_reused_in_time(open_store, clock):
    """Once no call in flight can come back to them, replaced blocks are room again."""
    store = open_store(words=30)
    ten, nine = sliding(10, 300 * MINUTE), sliding(9, 300 * MINUTE)
    Budget(store, clock, ten).spend(1)
    store.bind(KEY, nine)
    with pytest.raises(CountersFullError):
        store.bind(KEY, ten)
    for spec in (ten, nine, ten):
        clock.advance(seconds=600)
        store.bind(KEY, spec)
    assert store.refused == 1


def test_a_max_lowered_and_raised_again_gives_nothing_back_through_a_restart(open_store, clock):
    """What is too much for the lower max is kept on the disk, until it leaves the window."""
    store = open_store()
    Budget(store, clock, sliding(10)).spend(10)
    for spec in (sliding(4), sliding(2), sliding(10)):
        assert Budget(store, clock, spec).passing() == 0
        store.close()
        store = open_store()
    clock.advance(seconds=60)
    assert Budget(store, clock, sliding(4)).passing() == 4


def test_an_edit_without_room_is_refused_and_forgets_nothing(open_store, clock):
    """The value stays with the old spec until there is room for the new."""
    store = open_store(words=20)
    budget = Budget(store, clock, sliding(10))
    budget.spend(3)
    with pytest.raises(CountersFullError):
        store.bind(KEY, sliding(11))
    assert budget.passing() == 7


def test_a_process_killed_anywhere_in_an_edit_leaves_the_value(path, open_store, clock, monkeypatch):
    """After every single line of the edit the file opens, and three of ten are spent, under either spec."""
    store = open_store()
    Budget(store, clock, sliding(10)).spend(3)
    files = list[Path]()

    def keep_file(frame, event, _):
        if frame.f_globals.get("__name__", "").startswith("gateway.store.counter"):
            files.append(shutil.copy(path, path.with_name(f"killed-{len(files)}")))
            return keep_file
        return None

    tracer = sys.gettrace()
    sys.settrace(keep_file)
    try:
        store.bind(KEY, sliding(9))
    finally:
        sys.settrace(tracer)
    assert len(files) > 30
    for number, killed in enumerate(files):
        for spec, left in ((sliding(9), 6), (sliding(10), 7)):
            copy = shutil.copy(killed, path.with_name(f"{number}-{left}"))
            with contextlib.closing(open_small(copy, clock)) as after:
                assert Budget(after, clock, spec).passing() == left


def test_a_counter_found_twice_is_counted_once(path, open_store, clock):
    """What a crash in an edit left behind takes no room."""
    key, spec = fingerprint(*KEY), sliding(2)
    table = open_table(path, clock, boot=fingerprint(BOOT), entries=2, words=16)
    for index, offset in enumerate((1, 5)):
        table.add(index, Entry(key, offset, 4, spec), [0, clock.monotonic_ns(), 0])
    table.release()
    store = open_store(entries=2, words=16)
    assert Budget(store, clock, spec).passing() == 1
    store.close()
    table = open_table(path, clock, boot=fingerprint(BOOT), entries=2, words=16)
    assert [entry.key for _, entry in table.blocks()] == [key]
    table.release()
    store = open_store(entries=2, words=16)
    assert Budget(store, clock, spec, others(1)[0]).passing() == 2


# --- The boot ---------------------------------------------------------------------------------------------


def test_a_boot_has_one_name(tmp_path, monkeypatch):
    """The system's own, without the newline."""
    (tmp_path / "boot_id").write_text("2f10d07c\n")
    monkeypatch.setattr(counters, "_BOOT_ID", tmp_path / "boot_id")
    assert counters.read_boot_id() == "2f10d07c"


def test_a_boot_without_a_name_is_never_the_same(tmp_path, monkeypatch):
    """Where the system has no name for it, every start counts as a reboot, and the name says why."""
    monkeypatch.setattr(counters, "_BOOT_ID", tmp_path / "missing")
    names = {counters.read_boot_id() for _ in range(2)}
    assert len(names) == 2
    assert all(name.startswith("unknown boot ") for name in names)


# --- Copies -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", ALGORITHMS)
def test_a_copy_has_what_was_spent_and_spends_apart(open_store, path, clock, spec):
    """The counters that somebody has open can be copied; what is spent on the copy is spent there alone."""
    store = open_store()
    budget = Budget(store, clock, spec())
    budget.spend(7)
    copy = CounterStore.copy(path, clock, boot_id=BOOT)
    assert Budget(copy, clock, spec()).passing() == 3
    copy.close()
    assert budget.passing() == 3


def test_a_copy_has_room_for_more_when_the_table_is_full(open_store, path, clock):
    """What nobody has counted yet can be looked at too."""
    store = open_store(entries=1, words=16)
    store.bind(KEY, sliding())
    copy = CounterStore.copy(path, clock, boot_id=BOOT)
    assert Budget(copy, clock, sliding(10_000), key=others(1)[0]).passing() == 10_000


def test_a_copy_of_another_boots_counters_is_restamped(open_store, path, clock):
    """As when they are opened."""
    store = open_store()
    Budget(store, clock, sliding()).spend(7)
    store.close()
    copy = CounterStore.copy(path, ManualClock(monotonic_ns=5 * SECOND), boot_id="the next boot")
    assert Budget(copy, ManualClock(monotonic_ns=5 * SECOND), sliding()).passing() == 3
