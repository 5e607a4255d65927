"""How much can go wrong: classes of risk, levels, and the values in which a classification is told.

Values only. `classify` and `binassist` make them, `recommend` and the command line read them.
"""

import enum
from typing import Any, Final, Literal

import msgspec

Source = Literal["name", "description", "annotations", "schema", "source code"]
"""What speaks: a part of the tool's definition, or the server's own source code, where that is known."""


class RiskClass(enum.StrEnum):
    """What a call does at worst, the mildest first."""

    READ = "Read"
    WRITE = "Write"
    EXECUTE = "Execute"
    DESTRUCTIVE = "Destructive"
    FINANCIAL = "Financial"


class Level(enum.StrEnum):
    """How bad that is, the mildest first."""

    LOW = "Low"
    MEDIUM = "Medium"
    HIGH = "High"
    CRITICAL = "Critical"


LEVEL_OF: Final = {
    RiskClass.READ: Level.LOW,
    RiskClass.WRITE: Level.MEDIUM,
    RiskClass.EXECUTE: Level.HIGH,
    RiskClass.DESTRUCTIVE: Level.CRITICAL,
    RiskClass.FINANCIAL: Level.CRITICAL,
}
"""The least level of each class (policy.md, "Recommended policies")."""

_CLASSES: Final = tuple(RiskClass)
_LEVELS: Final = tuple(Level)


class Evidence(msgspec.Struct, frozen=True):
    """One reason for a classification: which part of the definition says what, and what follows from it."""

    source: Source
    text: str
    """A clause for people. What it quotes of the definition is as the server wrote it, so show it escaped."""
    risk: RiskClass | None = None
    """The least class that follows; None where none does."""
    level: Level | None = None
    """The least level that follows."""


class ValueRisk(msgspec.Struct, frozen=True, array_like=True):
    """What a call does that gives one value to a switch."""

    value: Any
    risk: RiskClass
    level: Level


class Switch(msgspec.Struct, frozen=True):
    """An argument whose value decides what the call does: `action`, or a flag such as `overwrite`."""

    path: str
    """As a condition of a policy writes it: `args.action`."""
    values: tuple[ValueRisk, ...]
    """Every value it takes."""
    default: Any = None
    """The value that a call without it means; None where the server does not say."""
    is_required: bool = False


class Bulk(msgspec.Struct, frozen=True):
    """A list, or an object of any members, that one call may fill without bound."""

    path: str
    """As a condition of a policy writes it: `args.renames`."""
    is_list: bool
    may_be_text: bool
    """Whether a text is taken instead, such as hex digits."""


class Classification(msgspec.Struct, frozen=True):
    """What is known about the risk of one tool."""

    tool: str
    risk: RiskClass = msgspec.field(name="class")
    level: Level
    base: RiskClass
    """The class of a call by all but its switches, whose values come on top."""
    evidence: tuple[Evidence, ...]
    switches: tuple[Switch, ...]
    bulk: tuple[Bulk, ...]
    attacks: tuple[str, ...]
    """Names of the patterns in `attacks` that apply."""


def riskiest(*risks: RiskClass | None) -> RiskClass:
    """The worst of these classes; Read where there is none."""
    return max((risk for risk in risks if risk is not None), key=_CLASSES.index, default=RiskClass.READ)


def highest(*levels: Level | None) -> Level:
    """The worst of these levels; Low where there is none."""
    return max((level for level in levels if level is not None), key=_LEVELS.index, default=Level.LOW)


def reaches(risk: RiskClass, least: RiskClass) -> bool:
    """Whether a class is at least as bad as another."""
    return _CLASSES.index(risk) >= _CLASSES.index(least)
