"""Paths into the arguments of a call: `args.a.b`, `args.list[0]`, `args.list[*].name`, `length(args.text)`.

Read from a document here, walked by the core; what walks here is for messages and records.
"""

import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from gateway import fastpath

# One step with the mark before it. What a backslash stands before is taken as it is.
_STEP: Final = re.compile(r"\.((?:[^.\[\\]|\\.)+)|\[(\*|0|[1-9][0-9]{0,8})\]", re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_SPECIAL: Final = re.compile(r"([.\[\\])")


class ArgumentPath(msgspec.Struct, frozen=True):
    """A path that has been read."""

    steps: tuple[fastpath.Step, ...]
    of_length: bool = False
    """Whether the length of what is there is meant."""

    @property
    def has_each(self) -> bool:
        """Whether it may lead to several values."""
        return fastpath.EACH in self.steps

    @property
    def text(self) -> str:
        """The path as a document writes it, `length()` aside."""
        return "args" + "".join(map(_written, self.steps))


class Misfit(msgspec.Struct, frozen=True):
    """A value of another JSON type than is wanted where it stands."""

    place: str
    """The path that leads to this value, with the numbers of elements in place of `[*]`."""
    value: object
    wanted: str | None
    """The container that the path needs here; None where the path has ended."""


def parse_path(text: str) -> ArgumentPath:
    r"""The path that `text` writes; `args.a\.b` is the one key `a.b`. Raises ValueError, saying what would be right."""
    if text.startswith("length(") and text.endswith(")"):
        return ArgumentPath(_steps(text.removeprefix("length(").removesuffix(")"), text), of_length=True)
    return ArgumentPath(_steps(text, text))


def _steps(path: str, text: str) -> tuple[fastpath.Step, ...]:
    if not path.startswith("args."):
        raise ValueError(f"the path `{text}` must start with `args.`, as in `args.action` or `length(args.text)`")
    steps: list[fastpath.Step] = []
    position = len("args")
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(_mistake(path[position:], text))
        position = step.end()
        if step[1] == "*":
            raise ValueError(
                rf"the path `{text}` has `.*`; write `[*]` for each element, or `\*` for a key of that name"
            )
        if step[1] is not None:
            steps.append(_ESCAPED.sub(r"\1", step[1]))
        else:
            steps.append(fastpath.EACH if step[2] == "*" else int(step[2]))
    return tuple(steps)


def _mistake(rest: str, text: str) -> str:
    """Why no step begins where `rest` does."""
    match rest[0], rest[1:2]:
        case ".", "" | "." | "[":
            return f"the path `{text}` has an empty step; write a name between the dots"
        case "[", _:
            return rf"the path `{text}` has a bad index; write `[0]`, `[*]`, or `\[` for a key that holds a ["
        case "\\", _:
            return f"the path `{text}` ends in a backslash; write two for the character itself"
        case _:
            return f"the path `{text}` goes on right after an index; write a `.` or a `[` there"


def value_at(arguments: object, path: ArgumentPath) -> Any:
    """What the path leads to: None where it is missing or null, a list of values where it has `[*]`.

    Raises LookupError where a step meets what it cannot walk into, or a length is asked of what has none.
    """
    return _value_at(arguments, path.steps, path.of_length)


def _value_at(value: Any, steps: tuple[fastpath.Step, ...], of_length: bool) -> Any:
    for place, step in enumerate(steps):
        if value is None:
            return None
        if not isinstance(value, dict if isinstance(step, str) else list):
            raise LookupError(f"step {place} cannot walk into {type(value).__name__}")
        if step == fastpath.EACH:
            return [_value_at(element, steps[place + 1 :], of_length) for element in value]
        value = _take(value, step)
    if not of_length or value is None:
        return value
    if not isinstance(value, str | list | dict):
        raise LookupError(f"{type(value).__name__} has no length")
    return len(value)


def find_misfit(
    arguments: object, path: ArgumentPath, is_misfit: Callable[[object], bool], place: str = "args"
) -> Misfit | None:
    """The first value that stops the path, or that it ends at and `is_misfit`; None if there is none.

    Null is no misfit anywhere: it counts as missing.
    """
    value: Any = arguments
    for depth, step in enumerate(path.steps):
        if value is None:
            return None
        wanted = dict if isinstance(step, str) else list
        if not isinstance(value, wanted):
            return Misfit(place, value, "an object" if wanted is dict else "an array")
        if step == fastpath.EACH:
            rest = ArgumentPath(path.steps[depth + 1 :], path.of_length)
            found = (find_misfit(each, rest, is_misfit, f"{place}[{number}]") for number, each in enumerate(value))
            return next(filter(None, found), None)
        value = _take(value, step)
        place += "." + _SPECIAL.sub(r"\\\1", step) if isinstance(step, str) else f"[{step}]"
    return Misfit(place, value, None) if value is not None and is_misfit(value) else None


def _written(step: fastpath.Step) -> str:
    if isinstance(step, str):
        return "." + _SPECIAL.sub(r"\\\1", step)
    return "[*]" if step == fastpath.EACH else f"[{step}]"


def _take(container: Any, step: fastpath.Step) -> Any:
    if isinstance(step, str):
        return container.get(step)
    return container[step] if step < len(container) else None
