"""What every filter of answers shares: reading a JSON body or an event strictly, and writing it again if changed."""

import abc
from typing import Any

import orjson

from gateway.errors import GatewayError
from gateway.mcp import sse, strict_json
from gateway.mcp.strict_json import StrictJsonError


class UnreadableAnswerError(GatewayError):
    """An answer that should be filtered cannot be read, so it is not passed on."""


class AnswerFilter(abc.ABC):
    """Looks into the answers that one server gives to one grant."""

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


def _load(text: bytes) -> dict[str, Any]:
    try:
        message = strict_json.load(text)
    except StrictJsonError as error:
        raise UnreadableAnswerError(f"The server sent a list that cannot be read: {error}") from None
    # A batch could hide a list from the filter; agents are not let send one, so no answer is one.
    if not isinstance(message, dict):
        raise UnreadableAnswerError("The server sent something else than one JSON-RPC message.")
    return message
