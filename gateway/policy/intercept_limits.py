"""The counter of an Intercept rule: its shape, and the version-1 limit that it becomes.

Intercept counts in windows of the UTC calendar and bounds a counter by a condition on it. Called by
`intercept_rules.py`.
"""

import re
from collections.abc import Sequence
from typing import Annotated, Final, Literal

import msgspec

from gateway.documents import Carried
from gateway.policy.model import Operator
from gateway.reading.outcome import Path

_RATE: Final = re.compile(r"([1-9][0-9]{0,9})/(minute|hour|day)")
_STAR: Final = re.compile(r"(?<=\.)\*(?=\.|$)")
_COUNTERS: Final = "state."


class Condition(msgspec.Struct, frozen=True):
    """One test of an argument, or of a counter."""

    path: str
    op: Operator
    value: object


class State(msgspec.Struct, frozen=True):
    """What a rule counts."""

    counter: Annotated[str, msgspec.Meta(min_length=1)]
    window: Literal["minute", "hour", "day"]
    increment: int | None = None
    increment_from: str | None = None


class UncarriedError(Exception):
    """A part of a rule that version 1 cannot express. `str()` says why, and what would mend it."""

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        super().__init__(message)


def is_on_counter(condition: Condition) -> bool:
    """Whether a condition tests a counter, and not an argument."""
    return condition.path.startswith(_COUNTERS)


def literal_path(path: str) -> str:
    r"""A path of Intercept's in version 1, where `\`, `[` and a `*` alone are more than letters of a name."""
    return _STAR.sub(r"\*", path.replace("\\", "\\\\").replace("[", "\\["))


def limit_of_rate(scope: str, rate: str, at: Path) -> dict[str, object]:
    """The limit that `rate_limit: 10/hour`, written at `at`, is short for.

    `scope` is the tool's name, as everywhere in Intercept's counters. Raises UncarriedError.
    """
    match = _RATE.fullmatch(rate)
    if match is None:
        message = f"`{rate[:40]}` is not a rate; write how many in a `minute`, `hour` or `day`, as in `10/hour`"
        raise UncarriedError(at, message)
    return _limit(Carried(f"{scope}._rate_{match[2]}", at), Carried(match[2], at), Carried(int(match[1]), at))


def limit_of_state(scope: str, state: State, conditions: Sequence[Condition], at: Path) -> dict[str, object]:
    """The limit that a rule's counter and the one condition on it make; the rule is at `at`. Raises UncarriedError."""
    own = f"{_COUNTERS}{scope}.{state.counter}"
    indexes = [index for index, condition in enumerate(conditions) if is_on_counter(condition)]
    if not indexes:
        message = f"nothing bounds this counter; add the condition `path: {own}`, `op: lte`, `value: 10`, or remove it"
        raise UncarriedError((*at, "state"), message)
    for index in indexes:
        check_counter(conditions[index], own, (*at, "conditions", index))
    if len(indexes) > 1:
        message = "the counter has a bound already; keep the lower of the two"
        raise UncarriedError((*at, "conditions", indexes[1]), message)
    state_at = (*at, "state")
    limit = _limit(
        Carried(f"{scope}.{state.counter}", (*state_at, "counter")),
        Carried(state.window, (*state_at, "window")),
        _maximum(conditions[indexes[0]], (*at, "conditions", indexes[0])),
    )
    return limit | _cost(state, state_at)


def check_counter(condition: Condition, own: str | None, at: Path) -> None:
    """Raise UncarriedError for a condition on any counter but the rule's own, whose path is `own`."""
    if condition.path != own:
        message = (
            f"`{condition.path}` is not what this rule counts, and version 1 has no conditions on counters; "
            "bound a counter in the rule that has it under `state`"
        )
        raise UncarriedError((*at, "path"), message)


def _limit(counter: Carried, window: Carried, maximum: Carried) -> dict[str, object]:
    # Each agent had an Intercept of its own, and each has a grant of its own here.
    return {"counter": counter, "window": window, "max": maximum, "scope": "grant", "algorithm": "fixed_window"}


def _maximum(bound: Condition, at: Path) -> Carried:
    """How many calls the bound lets pass: Intercept compares what the counter would be after the call."""
    if bound.op not in ("lt", "lte"):
        message = f"`{bound.op}` does not bound a counter from above; write `lte` and how many may pass"
        raise UncarriedError((*at, "op"), message)
    value = bound.value
    if not isinstance(value, int) or isinstance(value, bool):
        raise UncarriedError((*at, "value"), "a counter is bounded by a whole number, such as 10")
    maximum = value - 1 if bound.op == "lt" else value
    if maximum < 1:
        raise UncarriedError((*at, "value"), "this bound lets no call pass; say so with a rule of `action: deny`")
    return Carried(maximum, (*at, "value"))


def _cost(state: State, at: Path) -> dict[str, object]:
    match state:
        case State(increment=None, increment_from=None):
            return {}
        case State(increment=None, increment_from=str(path)):
            return {"increment_from": Carried(literal_path(path), (*at, "increment_from"))}
        case State(increment_from=None):
            return {"increment": Carried(state.increment, (*at, "increment"))}
        case _:
            message = "`increment_from` alone would be the cost of a call; keep one of `increment` and `increment_from`"
            raise UncarriedError((*at, "increment"), message)
