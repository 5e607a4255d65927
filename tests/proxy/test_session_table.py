"""How many sessions there are, and for how long."""

import pytest

from gateway.proxy.session_table import SessionTable
from gateway.proxy.upstream import Failure, UpstreamError
from tests.support.waiting import eventually


class Held:
    """A session in a table."""

    def __init__(self, table: SessionTable["Held"], id: str, *, is_busy: bool = False) -> None:
        self.id = id
        self.is_busy = is_busy
        self._table = table
        table.used(self)

    def close(self) -> None:
        """It ends."""
        self._table.forget(self.id)


async def test_the_one_used_longest_ago_makes_room():
    """Using one counts, being busy protects."""
    table: SessionTable[Held] = SessionTable("binassist", 3)
    busy, first, second = Held(table, "busy", is_busy=True), Held(table, "first"), Held(table, "second")
    table.used(first)
    table.make_room()
    assert [table.get(id) for id in ("busy", "first", "second")] == [busy, first, None]
    table.make_room()
    assert len(table) == 2
    table.used(second)
    table.make_room()
    assert table.get("first") is None
    table.close()


async def test_there_is_no_room_where_all_are_in_use():
    """Nothing ends for another, and the call is given back."""
    table: SessionTable[Held] = SessionTable("binassist", 1)
    Held(table, "a", is_busy=True)
    with pytest.raises(UpstreamError, match="has 1 sessions already") as raised:
        table.make_room()
    assert (raised.value.failure, raised.value.may_have_run) == (Failure.DOWN, False)
    table.close()


async def test_idle_sessions_end():
    """A busy one when it is busy no more."""
    table: SessionTable[Held] = SessionTable("binassist", 3)
    table.idle_s = 0.01
    busy = Held(table, "busy", is_busy=True)
    Held(table, "idle")
    await eventually(lambda: table.get("idle") is None)
    assert table.get("busy") is busy
    busy.is_busy = False
    await eventually(lambda: len(table) == 0)


async def test_closing_ends_all():
    """And no timer is left."""
    table: SessionTable[Held] = SessionTable("binassist", 9)
    for number in range(5):
        Held(table, str(number), is_busy=True)
    table.close()
    assert (len(table), table._timers) == (0, {})
