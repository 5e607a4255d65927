"""Server-sent events as bytes: cutting a stream into events, reading one, and writing one.

Cutting keeps every byte, so that what is relayed is what the server sent. Lines may end in CR, LF or CRLF,
and chunks may be split anywhere (HTML Standard, "Server-sent events").
"""

import re
from typing import Final

from gateway.errors import GatewayError

_LINE_END: Final = re.compile(rb"\r\n|\n|\r")
# A lone CR that ends what has arrived so far may be half of a CRLF; the event is complete all the same, and
# the LF that follows reads as an empty line.
_EVENT_END: Final = re.compile(rb"(?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r)")
_LONGEST_END: Final = 4
MESSAGE: Final = b"message"
# Readers drop a byte order mark at the start of a stream; an event that hides behind one is read as they do.
_BOM: Final = b"\xef\xbb\xbf"


class EventTooLargeError(GatewayError):
    """A server sent one event longer than the bound."""


class EventSplitter:
    """Cuts a byte stream into events. One for each stream."""

    def __init__(self, max_event_bytes: int) -> None:
        self._max_event_bytes = max_event_bytes
        self._pending = bytearray()
        self._searched = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that `chunk` completes, each with its ending blank line, byte for byte.

        Raises `EventTooLargeError` when an event outgrows the bound.
        """
        self._pending += chunk
        events = []
        start = 0
        search_from = max(0, self._searched - _LONGEST_END)
        while match := _EVENT_END.search(self._pending, search_from):
            events.append(bytes(self._pending[start : match.end()]))
            start = search_from = match.end()
        del self._pending[:start]
        self._searched = len(self._pending)
        if max(map(len, [*events, self._pending])) > self._max_event_bytes:
            raise EventTooLargeError(f"The server sent an event of more than {self._max_event_bytes} bytes.")
        return events

    def rest(self) -> bytes:
        """What is left of an event that the end of the stream cut short. Readers discard such an event."""
        return bytes(self._pending)


def event_data(event: bytes) -> bytes | None:
    """The data of one event, its lines joined by LF; None for a comment, or an event without data."""
    lines = _values(event, b"data")
    return b"\n".join(lines) if lines else None


def replace_data(event: bytes, data: bytes) -> bytes:
    """The same event, with its `event`, `id` and `retry` fields, carrying `data` (one line) instead."""
    kept = [line for line in _lines(event) if line and _value(line, b"data") is None]
    return b"\n".join([*kept, b"data: " + data, b"", b""])


def event_name(event: bytes) -> bytes:
    """What kind of event it is: `message`, unless it says otherwise."""
    return (_values(event, b"event") or [b""])[-1] or MESSAGE


def encode_event(data: bytes, name: bytes = MESSAGE) -> bytes:
    """An event carrying `data`; line ends in it arrive as LF."""
    lines = b"".join(b"data: " + line + b"\n" for line in _LINE_END.split(data))
    return b"event: " + name + b"\n" + lines + b"\n"


def _values(event: bytes, field: bytes) -> list[bytes]:
    """What one field of an event is given, line by line."""
    return [value for line in _lines(event) if (value := _value(line, field)) is not None]


def _lines(event: bytes) -> list[bytes]:
    return _LINE_END.split(event.removeprefix(_BOM))


def _value(line: bytes, field: bytes) -> bytes | None:
    name, _, value = line.partition(b":")
    return value.removeprefix(b" ") if name == field else None
