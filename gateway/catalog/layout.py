"""How the catalogue's documents are laid out: a line for what fits into one, in ASCII, so that nothing can hide."""

import json
import re
from typing import Any, Final

WIDTH: Final = 120

# An escape at a time, so that a backslash that is itself escaped begins none.
_ESCAPE: Final = re.compile(r"\\u(d[89ab][0-9a-f]{2})\\u(d[c-f][0-9a-f]{2})|\\.")


def as_json(value: Any, indent: int = 0, *, used: int = 0) -> str:
    """JSON, with objects and arrays broken up that do not fit into a line.

    `indent` is where the lines after the first begin, `used` how many characters stand before the first and after
    the last.
    """
    line = json.dumps(value)
    if indent + used + len(line) <= WIDTH or not isinstance(value, dict | list) or not value:
        return line
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        heads, parts, (opening, closing) = [json.dumps(key) + ": " for key in value], list(value.values()), "{}"
    else:
        heads, parts, (opening, closing) = [""] * len(value), value, "[]"
    pairs = zip(heads, parts, strict=True)
    lines = [inner + head + as_json(part, indent + 2, used=len(head) + 1) for head, part in pairs]
    return "\n".join([opening, ",\n".join(lines), " " * indent + closing])


def as_yaml(value: Any, indent: int = 0, *, used: int = 0) -> str:
    """The same as YAML reads it, which has other escapes for characters beyond 16 bits."""
    return _ESCAPE.sub(_for_yaml, as_json(value, indent, used=used))


def _for_yaml(escape: re.Match[str]) -> str:
    high, low = escape.groups()
    if high is None:
        return escape[0]
    return f"\\U{0x10000 + (int(high, 16) - 0xD800) * 0x400 + int(low, 16) - 0xDC00:08x}"
