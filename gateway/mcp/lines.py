"""Messages as lines, as stdio has them: cutting a byte stream into lines of bounded length."""

from gateway.errors import GatewayError


class LineTooLongError(GatewayError):
    """A line is longer than the bound."""


class LineSplitter:
    """Cuts a byte stream into lines. One for each stream."""

    def __init__(self, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._pending = bytearray()

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that `chunk` completes, without what ends them: LF or CRLF.

        Raises `LineTooLongError` when a line outgrows the bound.
        """
        *ends, rest = chunk.split(b"\n")
        lines = []
        for end in ends:
            self._pending += end
            lines.append(bytes(self._pending.removesuffix(b"\r")))
            self._pending.clear()
        self._pending += rest
        if max(map(len, [*lines, self._pending])) > self._max_line_bytes:
            raise LineTooLongError(f"The server wrote a line of more than {self._max_line_bytes} bytes.")
        return lines
