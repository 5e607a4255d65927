"""The one strict reading of JSON. What two parsers could read differently is refused.

MCP clients and servers read with parsers that disagree about duplicate keys, encodings and huge integers; a text
is accepted only where all of them agree (design: security, section B).
"""

from typing import Any

import orjson

from gateway import fastpath
from gateway.errors import GatewayError


class StrictJsonError(GatewayError):
    """A text that is not JSON, or not JSON with one meaning. `reason` is a short label from a closed set."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def load(text: bytes) -> Any:
    """The value that every JSON parser reads in `text`. Raises `StrictJsonError`."""
    problem, position, colons = fastpath.scan(text)
    if problem == fastpath.TOO_DEEP:
        raise StrictJsonError("too_deep", f"Nested deeper than {fastpath.MAX_DEPTH} levels at byte {position}.")
    if problem == fastpath.INTEGER_TOO_LARGE:
        raise StrictJsonError("integer", f"The integer at byte {position} does not fit 64 bits.")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise StrictJsonError("json", f"Not valid JSON in UTF-8: {error}.") from None
    if fastpath.count_members(value) != colons:
        raise StrictJsonError("duplicate_key", "An object has the same key twice.")
    return value
