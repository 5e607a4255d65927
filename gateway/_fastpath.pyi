"""The core's contract: `_fastpath.pyx` (compiled) and `_fastpath_py.py` (the specification) both keep it."""

from typing import Any, Final, Self, final

from gateway._matching import Rule, Step

# Algorithms of a limit.
SLIDING_WINDOW: Final[int]
FIXED_WINDOW: Final[int]
TOKEN_BUCKET: Final[int]

# Codes of an outcome.
ALLOW: Final[int]
REQUIRE: Final[int]
DENY_IF: Final[int]
INVALID: Final[int]
APPROVE_IF: Final[int]
BAD_COST: Final[int]
NEVER_FITS: Final[int]
UNBOUND: Final[int]
THROTTLE: Final[int]

@final
class Limit:
    def __new__(
        cls,
        slot: int,
        kind: int,
        window_ns: int,
        maximum: int,
        burst: int,
        cost: int,
        cost_paths: tuple[tuple[Step, ...], ...] = (),
    ) -> Self: ...

@final
class Program:
    def __new__(
        cls,
        require: tuple[Rule, ...],
        deny_if: tuple[Rule, ...],
        checks: tuple[Any, ...],
        approve_if: tuple[Rule, ...],
        limits: tuple[Limit, ...],
    ) -> Self: ...

@final
class Words:
    def __new__(cls, buffer: object) -> Self: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> int: ...
    def __setitem__(self, index: int, value: int, /) -> None: ...
    def release(self) -> None: ...

@final
class Slots:
    def __new__(cls, count: int) -> Self: ...
    def __len__(self) -> int: ...
    def bind(self, slot: int, offset: int, tag: int) -> None: ...

Spend = tuple[int, int, int, int]
Receipt = tuple[Spend, ...]

def decide(
    program: Program,
    arguments: object,
    words: Words,
    slots: Slots,
    now_ns: int,
    wall_ns: int,
    is_approved: bool = False,
    is_free: bool = False,
) -> tuple[int, int, int, Receipt | None]: ...
def rollback(words: Words, receipt: Receipt, now_ns: int) -> None: ...
def remaining(limit: Limit, words: Words, slots: Slots, now_ns: int, wall_ns: int) -> int: ...
def block_length(kind: int, maximum: int) -> int: ...
