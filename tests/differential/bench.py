"""Limits on a bench: one core, some limits with a block each, and words of their own."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, NamedTuple

SECOND_NS = 1_000_000_000
FIRST_BLOCK = 3
FIRST_TAG = 100


class LimitSpec(NamedTuple):
    """What `Limit` is made of, but for its slot. The kind is a number, the same in both cores."""

    kind: int
    window_ns: int
    maximum: int
    burst: int = 1
    cost: int = 1
    cost_paths: tuple[tuple[str | int, ...], ...] = ()


class Bench:
    """A program of the limits given, bound to blocks that lie one after the other."""

    def __init__(self, core: SimpleNamespace, specs: Iterable[LimitSpec]) -> None:
        self.core = core
        self.specs = tuple(specs)
        self.limits = tuple(core.Limit(slot, *spec) for slot, spec in enumerate(self.specs))
        self.program = core.Program((), (), (), (), self.limits)
        self.slots = core.Slots(len(self.specs))
        self.blocks = []
        end = FIRST_BLOCK
        for spec in self.specs:
            self.blocks.append(end)
            end += core.block_length(spec.kind, spec.maximum)
        self.words = core.Words(bytearray(8 * end))
        for slot, block in enumerate(self.blocks):
            self.words[block] = FIRST_TAG + slot
            self.slots.bind(slot, block, FIRST_TAG + slot)

    def decide(self, now_ns: int, wall_ns: int, arguments: Any = None) -> tuple[int, int, int, Any]:
        return self.core.decide(self.program, arguments, self.words, self.slots, now_ns, wall_ns)

    def rollback(self, receipt: Any, now_ns: int) -> None:
        self.core.rollback(self.words, receipt, now_ns)

    def remaining(self, now_ns: int, wall_ns: int) -> list[int]:
        return [self.core.remaining(limit, self.words, self.slots, now_ns, wall_ns) for limit in self.limits]

    def snapshot(self) -> list[int]:
        return [self.words[position] for position in range(len(self.words))]

    def copy(self) -> "Bench":
        """The same bench with words of its own."""
        other = Bench(self.core, self.specs)
        for position, word in enumerate(self.snapshot()):
            other.words[position] = word
        return other
