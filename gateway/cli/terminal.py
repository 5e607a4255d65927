"""Text for a terminal: columns, and colours where somebody looks at them."""

import os
from collections.abc import Sequence
from typing import Final, TextIO

from gateway.visible import visible

_PLAIN: Final = "\x1b[0m"
_CODES: Final = {
    "bold": "\x1b[1m",
    "dim": "\x1b[2m",
    "Low": "\x1b[32m",
    "Medium": "\x1b[33m",
    "High": "\x1b[31m",
    "Critical": "\x1b[1;31m",
}


class Paint:
    """Colours, for a terminal that wants them; for anything else none (no-color.org)."""

    def __init__(self, stream: TextIO) -> None:
        self._is_on = stream.isatty() and not os.environ.get("NO_COLOR")

    def __call__(self, text: str, style: str) -> str:
        """The text in a style: `bold`, `dim` or the name of a level of risk."""
        return f"{_CODES[style]}{text}{_PLAIN}" if self._is_on else text


def columns(rows: Sequence[Sequence[str]], styles: Sequence[str | None], paint: Paint) -> str:
    """Rows as lines, each column but the last as wide as its widest entry; what others wrote is made visible.

    `styles` has one for each row, which colours all of it but its first column.
    """
    shown = [[visible(entry) for entry in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    lines = []
    for row, style in zip(shown, styles, strict=True):
        first, *middle, last = [entry.ljust(width) for entry, width in zip(row, widths, strict=True)]
        painted = [paint(entry, style) if style else entry for entry in middle]
        lines.append("  ".join([first, *painted, last]).rstrip())
    return "\n".join(lines)
