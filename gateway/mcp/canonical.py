"""The canonical text of a JSON value: the same for two values exactly if they mean the same. What approvals bind to.

Only for values that came through `strict_json`, where a key stands once and integers fit 64 bits.
"""

from typing import Any

import orjson


def canonical_json(value: Any) -> str:
    """Keys sorted by code point, no spaces, numbers in one form: 1, 1.0 and 1e0 are 1; nothing is rounded.

    Booleans are no numbers, and strings are taken exactly as they are: two that only look alike differ.
    """
    return orjson.dumps(_with_plain_numbers(value), option=orjson.OPT_SORT_KEYS).decode()


def _with_plain_numbers(value: Any) -> Any:
    match value:
        case dict():
            return {key: _with_plain_numbers(member) for key, member in value.items()}
        case list():
            return [_with_plain_numbers(element) for element in value]
        # No integer is beyond these, so there is nothing that a float there could be equal to.
        case float() if value.is_integer() and -(2**63) <= value < 2**64:
            return int(value)
        case _:
            return value
