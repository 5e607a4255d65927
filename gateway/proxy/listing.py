"""Filtering of lists: a grant sees only what it could call. The same engine that judges calls decides."""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from gateway.errors import GatewayError
from gateway.mcp import sse, strict_json
from gateway.mcp.methods import LIST_MEMBERS, Governance
from gateway.mcp.strict_json import StrictJsonError
from gateway.policy.engine import Judge


class UnreadableListError(GatewayError):
    """An answer that should be filtered cannot be read, so it is not passed on."""


class ListFilter:
    """Filters the lists in what one server sends to one grant."""

    def __init__(self, engine: Judge, learn: Callable[[Iterable[str]], None]) -> None:
        """`learn` is told the names of the tools that the server itself lists."""
        self._engine = engine
        self._learn = learn

    def filter_json(self, body: bytes) -> bytes:
        """A JSON answer with its lists filtered. Raises `UnreadableListError`."""
        if not body:
            return body
        message = _load(body)
        return orjson.dumps(message) if self._filter(message) else body

    def filter_event(self, event: bytes) -> bytes:
        """One server-sent event, filtered likewise; events without a list come back byte for byte.

        Raises `UnreadableListError`.
        """
        data = sse.event_data(event)
        if not data:
            return event
        message = _load(data)
        return sse.replace_data(event, orjson.dumps(message)) if self._filter(message) else event

    def _filter(self, message: dict[str, Any]) -> bool:
        """Filter in place. True when the message holds a list, and so may have changed."""
        result = message.get("result")
        if not isinstance(result, dict):
            return False
        members = [member for member in LIST_MEMBERS if member in result]
        for member in members:
            result[member] = self._visible(LIST_MEMBERS[member], result[member])
        if members and "cacheScope" in result:
            # Two grants may see two lists, so no cache may serve one grant's to another (2026-07-28 caching).
            result["cacheScope"] = "private"
        return bool(members)

    def _visible(self, governance: Governance, entries: Any) -> list[Any]:
        if not isinstance(entries, list):
            raise UnreadableListError("The server sent a list that is no array.")
        if governance is not Governance.TOOL_LIST:
            return entries if self._engine.default_allows else []
        tools = [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("name"), str)]
        self._learn(tool["name"] for tool in tools)
        return [tool for tool in tools if self._engine.sees(tool["name"])]


def _load(text: bytes) -> dict[str, Any]:
    try:
        message = strict_json.load(text)
    except StrictJsonError as error:
        raise UnreadableListError(f"The server sent a list that cannot be read: {error}") from None
    # A batch could hide a list from the filter; agents are not let send one, so no answer is one.
    if not isinstance(message, dict):
        raise UnreadableListError("The server sent something else than one JSON-RPC message.")
    return message
