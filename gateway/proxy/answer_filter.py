"""What every filter of answers shares: reading a JSON body or an event strictly, and writing it again if changed."""

import abc
from collections.abc import Callable
from typing import Any

import orjson

from gateway.errors import GatewayError
from gateway.mcp import sse, strict_json
from gateway.mcp.strict_json import StrictJsonError


class UnreadableAnswerError(GatewayError):
    """An answer that should be filtered cannot be read, so it is not passed on."""


class AnswerFilter(abc.ABC):
    """Looks into the answers that one server gives to one grant."""

    @property
    def must_read(self) -> bool:
        """Whether an answer that cannot be read, or is too long to be, must not be passed on."""
        return True

    def filter_json(self, body: bytes) -> bytes:
        """A JSON answer, filtered; byte for byte where nothing changes. Raises `UnreadableAnswerError`."""
        if not body:
            return body
        message = _load(body)
        return orjson.dumps(message) if self._filter(message) else body

    def filter_event(self, event: bytes) -> bytes:
        """One server-sent event, filtered likewise. Raises `UnreadableAnswerError`."""
        data = sse.event_data(event)
        if not data:
            return event
        message = _load(data)
        return sse.replace_data(event, orjson.dumps(message)) if self._filter(message) else event

    @abc.abstractmethod
    def _filter(self, message: dict[str, Any]) -> bool:
        """Filter in place. True when the message may have changed. Raises `UnreadableAnswerError`."""


class Watch(AnswerFilter):
    """Sees what passes with a certain mark in it, and changes nothing; another filter may follow."""

    def __init__(self, mark: bytes, seen: Callable[[bytes], None], then: AnswerFilter | None = None) -> None:
        """`seen` is given each JSON text that holds `mark`."""
        self._mark = mark
        self._seen = seen
        self._then = then

    @property
    def must_read(self) -> bool:
        """As the filter that follows; a watch alone may miss what it cannot read."""
        return self._then is not None and self._then.must_read

    def filter_json(self, body: bytes) -> bytes:
        """A JSON answer, seen and passed on. Raises `UnreadableAnswerError` as the filter that follows."""
        if self._mark in body:
            self._seen(body)
        return body if self._then is None else self._then.filter_json(body)

    def filter_event(self, event: bytes) -> bytes:
        """One server-sent event, likewise."""
        if self._mark in event:
            self._seen(sse.event_data(event) or b"")
        return event if self._then is None else self._then.filter_event(event)

    def _filter(self, message: dict[str, Any]) -> bool:
        return False


def _load(text: bytes) -> dict[str, Any]:
    try:
        message = strict_json.load(text)
    except StrictJsonError as error:
        raise UnreadableAnswerError(f"The server sent a list that cannot be read: {error}") from None
    # A batch could hide a list from the filter; agents are not let send one, so no answer is one.
    if not isinstance(message, dict):
        raise UnreadableAnswerError("The server sent something else than one JSON-RPC message.")
    return message
