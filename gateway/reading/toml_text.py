"""Reads TOML into plain data, without places: `tomllib` keeps none. Called by `gateway.documents`."""

import datetime as dt
import math
import tomllib

from gateway.reading.outcome import MAX_DEPTH, Path, Reading, UnreadableError, checked_integer


def read_toml(text: str) -> Reading:
    """Read one TOML document; dates and times become RFC 3339 text. Raises UnreadableError."""
    try:
        return Reading(_plain(tomllib.loads(text), ()))
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        raise UnreadableError(f"not valid TOML: {error}") from None


def _too_deep() -> UnreadableError:
    return UnreadableError(f"more than {MAX_DEPTH} levels deep; flatten the document")


def _plain(value: object, path: Path) -> object:
    match value:
        case dict() | list() if len(path) >= MAX_DEPTH:
            raise _too_deep()
        case dict():
            return {name: _plain(member, (*path, name)) for name, member in value.items()}
        case list():
            return [_plain(element, (*path, index)) for index, element in enumerate(value)]
        case dt.date() | dt.time():
            return value.isoformat()
        case float() if not math.isfinite(value):
            raise UnreadableError(
                "infinity and nan are not numbers a document can use; write a decimal number", path=path
            )
        case bool():
            return value
        case int():
            return _integer(value, path)
        case _:
            return value


def _integer(value: int, path: Path) -> int:
    try:
        return checked_integer(str(value))
    except ValueError as error:
        raise UnreadableError(str(error), path=path) from None
