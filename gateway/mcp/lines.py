"""Messages as lines, as stdio has them: cutting a byte stream into lines of bounded length, and writing one."""

from typing import Final

# Between the parts of a JSON text these mean nothing, and within its strings they never stand as they are.
_AS_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")


class LineSplitter:
    """Cuts a byte stream into lines. One for each stream."""

    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._pending = bytearray()
        self._is_skipping = False

    def feed(self, chunk: bytes) -> list[bytes | None]:
        """The lines that `chunk` completes, without what ends them: LF or CRLF.

        None stands for one that is too long, as soon as that is known; the rest of it is dropped. What the end of the
        stream cuts short is no line.
        """
        lines: list[bytes | None] = []
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            self._take(end, lines)
            if not self._is_skipping:
                lines.append(bytes(self._pending.removesuffix(b"\r")))
            self._pending.clear()
            self._is_skipping = False
        self._take(rest, lines)
        return lines

    def _take(self, part: bytes, lines: list[bytes | None]) -> None:
        """Some more of a line, which may become too long by it."""
        if self._is_skipping:
            return
        self._pending += part
        if len(self._pending) > self._max_line_bytes:
            self._pending.clear()
            self._is_skipping = True
            lines.append(None)


def encode_line(message: bytes) -> bytes:
    """A JSON text as one line, whatever line ends it has between its parts."""
    return message.translate(_AS_SPACES) + b"\n"
