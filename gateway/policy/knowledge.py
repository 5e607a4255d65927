"""What is known of the arguments of a past call: the names of them, and such values as the policy has kept.

A condition on what is not known may give anything. Called by `prospect`, for replays.
"""

from typing import Any, Final

import msgspec

from gateway import fastpath
from gateway.policy.paths import ArgumentPath, parse_path

ANYTHING: Final = frozenset({fastpath.HOLDS, fastpath.FAILS, fastpath.MISTYPED})


class UnknownError(Exception):
    """A value is wanted that was not kept. `str()` is its path."""


class Knowledge(msgspec.Struct, frozen=True):
    """What a record says of a call's arguments."""

    keys: frozenset[str] | None
    """The names of all top-level arguments; None where the record does not have them all."""
    kept: dict[str, object]
    """Values by their paths (`audit.keep`): null for one that is missing."""

    def whole(self) -> dict[str, object]:
        """All arguments. Raises `UnknownError` unless every one was kept."""
        if self.keys is None:
            raise UnknownError("args")
        found: dict[str, object] = {}
        for key in sorted(self.keys):
            path = ArgumentPath((key,))
            found[key] = self._kept(path)
        return found

    def about(self, path: ArgumentPath) -> dict[str, object]:
        """Arguments that are at this path as those of the call were, or of the same length if that is asked.

        What they have elsewhere means nothing. Raises `UnknownError`.
        """
        first = path.steps[0]
        if self.keys is not None and first not in self.keys:
            return {}
        for text, value in self.kept.items():
            known = parse_path(text)
            if known == path and path.of_length:
                return _arguments(path.steps, [None] * value if isinstance(value, int) else None)
            if not known.of_length and path.steps[: len(known.steps)] == known.steps:
                return _arguments(known.steps, value)
        raise UnknownError(f"length({path.text})" if path.of_length else path.text)

    def results(self, path: ArgumentPath, condition: fastpath.Condition, *, every: bool) -> frozenset[int]:
        """What testing a condition on this path may have given, of `HOLDS`, `FAILS` and `MISTYPED`."""
        try:
            return frozenset({condition.test(self.about(path), every)})
        except UnknownError:
            return ANYTHING

    def _kept(self, path: ArgumentPath) -> object:
        for text, value in self.kept.items():
            if parse_path(text) == path:
                return value
        raise UnknownError(path.text)


def _arguments(steps: tuple[fastpath.Step, ...], value: object) -> dict[str, object]:
    built: dict[str, object] = _built(steps, value)
    return built


def _built(steps: tuple[fastpath.Step, ...], value: Any) -> Any:
    """Arguments in which the path leads to this value; where it has `[*]`, to each of these values."""
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        return {step: _built(rest, value)}
    if step == fastpath.EACH:
        # Null where the array itself was missing.
        return None if value is None else [_built(rest, element) for element in value]
    return [*([None] * step), _built(rest, value)]
