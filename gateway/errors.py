"""The errors that cross module boundaries. Whose fault it is decides the class."""

import msgspec


class GatewayError(Exception):
    """The root of every error the gateway raises on purpose. `str()` is fit to show a person."""


class Problem(msgspec.Struct, frozen=True):
    """One mistake in a document: where it is, and what would mend it."""

    place: str
    """`FILE:LINE:COLUMN: /path/in/document`, or as much of that as is known."""
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class DocumentError(GatewayError):
    """A config or policy document that cannot be used. Carries every mistake found, not just the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class StateError(GatewayError):
    """The state directory cannot be used as it stands (wrong owner, other layout, in use by another gateway)."""


class CountersFullError(GatewayError):
    """The table of counters has no room for a new key. A live counter is never evicted to make some."""
