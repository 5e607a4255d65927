"""The contract of matching: `_matching.pyx` (compiled) and `_matching_py.py` (the specification) both keep it."""

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

# The step of a path that stands for each element of an array.
EACH: Final[int]

Step = str | int

@final
class Condition:
    def __new__(cls, path: tuple[Step, ...], op: int, value: object, of_length: bool = False) -> Self: ...
    def test(self, arguments: object, every: bool) -> int: ...

@final
class Rule:
    def __new__(cls, conditions: tuple[Condition, ...]) -> Self: ...

def matches_glob(pattern: str, name: str) -> bool: ...
