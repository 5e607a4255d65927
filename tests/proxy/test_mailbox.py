"""What a server says of its own accord: kept within bounds, in order, until somebody listens."""

import asyncio

import pytest

from gateway.proxy import mailbox
from gateway.proxy.mailbox import Mailbox


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for three of the events below."""
    monkeypatch.setattr(mailbox, "MAX_HELD_BYTES", 3)


async def rest(box: Mailbox) -> list[bytes]:
    """What is left in a box that nothing more comes to."""
    box.close()
    return [event async for event in box.read()]


async def test_what_came_before_is_there_for_whoever_listens():
    """In the order in which it came."""
    box = Mailbox()
    for event in (b"a", b"b", b"c"):
        await box.put(event)
    assert await rest(box) == [b"a", b"b", b"c"]
    assert not box.is_read


async def test_without_a_listener_the_oldest_goes(caplog: pytest.LogCaptureFixture):
    """The server is never held up for nobody, and the log says so once; one event may be larger than the box."""
    box = Mailbox()
    for event in (b"a", b"b", b"c", b"dd"):
        await box.put(event)
    assert caplog.text.count("are dropped") == 1
    assert await rest(box) == [b"c", b"dd"]
    large = Mailbox()
    await large.put(b"a")
    await large.put(b"large")
    assert await rest(large) == [b"large"]


@pytest.mark.parametrize("leaves", [False, True], ids=["reads on", "leaves"])
async def test_a_listener_holds_the_server_up_until_it_reads(leaves: bool):
    """Nothing is dropped while somebody listens, and nobody waits for one who no longer does."""
    box = Mailbox()
    events = box.read()
    for event in (b"a", b"b", b"c"):
        await box.put(event)
    putting = asyncio.ensure_future(box.put(b"d"))
    done, _ = await asyncio.wait([putting], timeout=0.02)
    assert not done
    if leaves:
        box.release()
        await putting
        assert await rest(box) == [b"b", b"c", b"d"]
    else:
        assert await anext(events) == b"a"
        await putting
        box.close()
        assert [event async for event in events] == [b"b", b"c", b"d"]


async def test_a_listener_waits_for_what_comes():
    """An empty box is no end; closing it is."""
    box = Mailbox()
    events = box.read()
    reading = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await box.put(b"late")
    assert await reading == b"late"
    asyncio.get_running_loop().call_soon(box.close)
    assert [event async for event in events] == []
