"""What a reader returns or raises, and how a mistake in a document is held: the words that this package,
`gateway.documents` and those who check documents have in common.
"""

import msgspec

Path = tuple[str | int, ...]
"""The way from the root of a document to a value: names of members, indexes of elements."""

Fault = tuple[Path, str]
"""Where, and a sentence saying what is wrong and what would mend it."""

MAX_DEPTH = 64
"""Mappings and lists inside each other. The same bound as for a message body (security.md G)."""


class Reading(msgspec.Struct, frozen=True):
    """Plain data (dict with text keys, list, str, int, float, bool, None) and where its parts stand."""

    value: object
    offsets: dict[Path, int] = {}
    """Where in the text a member's name or an element begins. Empty if the format does not tell."""


class UnreadableError(Exception):
    """The text is not a strict document of its format. `str()` says why, and what would mend it."""

    def __init__(self, message: str, offset: int | None = None, path: Path = ()) -> None:
        self.offset = offset
        self.path = path
        super().__init__(message)


def checked_integer(digits: str) -> int:
    """The number that decimal `digits` spell; ValueError beyond 64 bits, where JSON parsers disagree."""
    if len(digits) > 20 or not -(2**63) <= (number := int(digits)) < 2**64:
        raise ValueError("this number does not fit into 64 bits; write a smaller one, or put it in quotes")
    return number
