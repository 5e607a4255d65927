"""The core's contract: `_fastpath.pyx` (compiled) and `_fastpath_py.py` (the specification) both keep it."""

from typing import Final, Self, final

# Operators of a condition (policy.md, "Conditions").
EQ: Final[int]
NEQ: Final[int]
LT: Final[int]
LTE: Final[int]
GT: Final[int]
GTE: Final[int]
IN: Final[int]
NOT_IN: Final[int]
EXISTS: Final[int]
REGEX: Final[int]
CONTAINS: Final[int]

# What testing one condition can give.
HOLDS: Final[int]
FAILS: Final[int]
MISTYPED: Final[int]

# Algorithms of a limit.
SLIDING_WINDOW: Final[int]
FIXED_WINDOW: Final[int]
TOKEN_BUCKET: Final[int]

# Codes of an outcome.
ALLOW: Final[int]
REQUIRE: Final[int]
DENY_IF: Final[int]
THROTTLE: Final[int]
NEVER_FITS: Final[int]
UNBOUND: Final[int]

@final
class Condition:
    def __new__(cls, path: tuple[str, ...], op: int, value: object) -> Self: ...
    def test(self, arguments: object) -> int: ...

@final
class Rule:
    def __new__(cls, conditions: tuple[Condition, ...]) -> Self: ...

@final
class Limit:
    def __new__(cls, slot: int, kind: int, window_ns: int, maximum: int, burst: int, cost: int) -> Self: ...

@final
class Program:
    def __new__(cls, require: tuple[Rule, ...], deny_if: tuple[Rule, ...], limits: tuple[Limit, ...]) -> Self: ...

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
    program: Program, arguments: object, words: Words, slots: Slots, now_ns: int, wall_ns: int
) -> tuple[int, int, int, Receipt | None]: ...
def rollback(words: Words, receipt: Receipt, now_ns: int) -> None: ...
def remaining(limit: Limit, words: Words, slots: Slots, now_ns: int, wall_ns: int) -> int: ...
def block_length(kind: int, maximum: int) -> int: ...
def matches_glob(pattern: str, name: str) -> bool: ...
