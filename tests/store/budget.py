"""A counter as the gate uses it: bound when the core asks for it, spent on by the core."""

from gateway import fastpath
from gateway.clock import ManualClock
from gateway.store.counters import CounterSpec, CounterStore

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
KEY = ("binassist", "cancel-task", "cancel_task_rate", "alice-laptop")


def sliding(maximum: int = 10, window_ns: int = MINUTE) -> CounterSpec:
    return CounterSpec(fastpath.SLIDING_WINDOW, window_ns, maximum, maximum)


def fixed(maximum: int = 10, window_ns: int = MINUTE) -> CounterSpec:
    return CounterSpec(fastpath.FIXED_WINDOW, window_ns, maximum, maximum)


def bucket(maximum: int = 10, window_ns: int = MINUTE, burst: int | None = None) -> CounterSpec:
    return CounterSpec(fastpath.TOKEN_BUCKET, window_ns, maximum, maximum if burst is None else burst)


ALGORITHMS = [sliding, fixed, bucket]


class Budget:
    """One counter of one store, and the clock its calls are made by."""

    def __init__(
        self, store: CounterStore, clock: ManualClock, spec: CounterSpec, key: tuple[str, str, str, str] = KEY
    ) -> None:
        self.store, self.clock, self.spec, self.key = store, clock, spec, key
        self.slots = fastpath.Slots(1)
        self.limit = fastpath.Limit(0, spec.kind, spec.window_ns, spec.maximum, spec.burst, 1)
        self.program = fastpath.Program((), (), (), (), (self.limit,))
        self.receipt: fastpath.Receipt | None = None
        self.bind()

    def bind(self) -> None:
        self.slots.bind(0, *self.store.bind(self.key, self.spec))

    def decide(self) -> tuple[int, int]:
        """One call: its code, and the wait in ns if it is throttled."""
        code, _, wait_ns, self.receipt = fastpath.decide(
            self.program, {}, self.store.words, self.slots, self.clock.monotonic_ns(), self.clock.wall_ns()
        )
        return code, wait_ns

    def spend(self, calls: int) -> None:
        """Make calls that all must pass."""
        for _ in range(calls):
            assert self.decide() == (fastpath.ALLOW, 0)

    def passing(self) -> int:
        """Call until refused; how many passed."""
        passed = 0
        while self.decide()[0] == fastpath.ALLOW:
            passed += 1
        return passed

    def greedy(self, calls: int) -> list[int]:
        """Call as soon as the wait named is over; when each call passed, in ns from now."""
        elapsed_ns, passed = 0, list[int]()
        while len(passed) < calls:
            code, wait_ns = self.decide()
            assert code in (fastpath.ALLOW, fastpath.THROTTLE)
            self.clock.advance(ns=wait_ns)
            elapsed_ns += wait_ns
            if code == fastpath.ALLOW:
                passed.append(elapsed_ns)
        return passed
