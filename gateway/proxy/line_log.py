"""What a server's process writes that is no message, in our log: line by line, cut short, and never more than a little.

Taking it in never blocks and keeps nothing, so that a process may write as much as it likes.
"""

import asyncio
import logging
from typing import Final

logger = logging.getLogger(__name__)

MAX_LINE_BYTES: Final = 500
MAX_LINES: Final = 20
# For which there may be so many lines; then it is said how many more there were.
INTERVAL_S: Final = 10.0


class LineLog:
    """One kind of output of one process."""

    def __init__(self, source: str) -> None:
        """`source` says what wrote it, at the start of each line of the log."""
        self._source = source
        self._pending = b""
        self._logged = 0
        self._more = 0
        self._timer: asyncio.TimerHandle | None = None

    def feed(self, chunk: bytes) -> None:
        """Take a piece of the output, cut anywhere."""
        *lines, rest = (self._pending + chunk).split(b"\n")
        # What is beyond the bound would be cut off anyway.
        self._pending = rest[: MAX_LINE_BYTES + 1]
        self.lines(lines)

    def lines(self, lines: list[bytes]) -> None:
        """Take whole lines."""
        if lines and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(INTERVAL_S, self._sum_up)
        room = MAX_LINES - self._logged
        for line in lines[:room]:
            self._write(line)
        self._logged += len(lines[:room])
        self._more += len(lines[room:])

    def close(self) -> None:
        """Log what is left."""
        if self._pending:
            self.lines([self._pending])
            self._pending = b""
        if self._timer is not None:
            self._timer.cancel()
        self._sum_up()

    def _write(self, line: bytes) -> None:
        text = line[:MAX_LINE_BYTES].decode("utf-8", "backslashreplace").rstrip("\r")
        # Escapes and line ends of other kinds could forge lines of the log, or move its reader's cursor.
        shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
        logger.info("%s: %s%s", self._source, shown, " …" if len(line) > MAX_LINE_BYTES else "")

    def _sum_up(self) -> None:
        if self._more:
            logger.info("%s: … %d more lines", self._source, self._more)
        self._timer, self._logged, self._more = None, 0, 0
