"""Keeps the events of legacy streams, so that a client that lost one can resume it."""

from typing import Final

from mcp.server.streamable_http import EventCallback, EventId, EventMessage, EventStore, StreamId
from mcp_types import JSONRPCMessage

# A test run sends a few hundred; whoever resumes does so at once.
_KEPT: Final = 10_000


class MemoryEventStore(EventStore):
    """The newest events in memory. An event's id is its number, unique over all streams."""

    def __init__(self) -> None:
        self._events: dict[int, tuple[StreamId, JSONRPCMessage | None]] = {}
        self._next = 1

    async def store_event(self, stream_id: StreamId, message: JSONRPCMessage | None) -> EventId:
        """Keep one event; no message means the event that only carries an id."""
        number = self._next
        self._events[number] = (stream_id, message)
        self._events.pop(number - _KEPT, None)
        self._next += 1
        return str(number)

    async def replay_events_after(self, last_event_id: EventId, send_callback: EventCallback) -> StreamId | None:
        """Send what followed an event on its own stream; None when the event is not known."""
        number = int(last_event_id) if last_event_id.isdecimal() else 0
        if number not in self._events:
            return None
        stream_id, _ = self._events[number]
        for later, (its_stream, message) in list(self._events.items()):
            if later > number and its_stream == stream_id and message is not None:
                await send_callback(EventMessage(message, str(later)))
        return stream_id
