"""Whoever lost a stream gets the rest of it, and nothing of any other."""

import pytest
from mcp_types import JSONRPCNotification

from tests.conformance.server.event_store import MemoryEventStore


def message(method):
    return JSONRPCNotification(jsonrpc="2.0", method=method)


@pytest.fixture
def store():
    return MemoryEventStore()


async def replayed(store, last_event_id):
    """The stream that an id belongs to, and the ids and methods of what follows on it."""
    events = []

    async def send(event):
        events.append((event.event_id, event.message.method))

    return await store.replay_events_after(last_event_id, send), events


async def test_what_followed_on_the_same_stream_is_sent_again(store):
    """Events of other streams, and events without a message, are left out."""
    first = await store.store_event("a", None)
    await store.store_event("b", message("other"))
    second = await store.store_event("a", message("one"))
    await store.store_event("a", None)
    third = await store.store_event("a", message("two"))
    assert await replayed(store, first) == ("a", [(second, "one"), (third, "two")])
    assert await replayed(store, third) == ("a", [])


@pytest.mark.parametrize("unknown", ["7", "", "x", "-1"])
async def test_an_unknown_event_belongs_to_no_stream(store, unknown):
    """Nothing is sent for an id that was never given out."""
    await store.store_event("a", message("one"))
    assert await replayed(store, unknown) == (None, [])
