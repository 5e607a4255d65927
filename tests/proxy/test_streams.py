"""The lives of open streams, as grants change. What agents see of it is shown in test_open_streams.py."""

import asyncio
from collections.abc import Callable

import msgspec
import pytest

from gateway.clock import ManualClock
from gateway.proxy import identity
from gateway.proxy.identity import Grant, Identity
from gateway.proxy.notices import Notices
from gateway.proxy.streams import Streams
from tests.support.grants import grant

ALICE = grant()


class Grants:
    """Grants in force that a test exchanges."""

    def __init__(self, *grants: Grant) -> None:
        self.clock = ManualClock()
        self.streams = Streams(Identity(lambda: self._known, self.clock))
        self.exchange(*grants)

    def exchange(self, *grants: Grant) -> None:
        """These are in force from now on; a second review changes nothing more."""
        self._known = identity.Grants(grants)
        for _ in range(2):
            self.streams.review()


async def listen(grants: Grants, then: Callable[[], object] = lambda: None) -> None:
    """Open a stream of Alice's, do something, and listen for as long as it is open."""
    async with grants.streams.lifetime(ALICE):
        then()
        await asyncio.Event().wait()


async def test_a_stream_ends_with_its_grant():
    """A review ends those whose grant is gone, and no others; an end that nears already does no harm."""
    bob = grant("bob", token="token-bob")
    grants = Grants(ALICE, bob)
    async with grants.streams.lifetime(bob), asyncio.timeout(5):
        with pytest.raises(TimeoutError):
            await listen(grants, lambda: grants.exchange(bob))
        grants.streams.review()
        assert len(grants.streams) == 1
    assert len(grants.streams) == 0


async def test_a_stream_of_a_grant_that_is_gone_ends_at_once():
    """It cannot slip in between the revocation and its opening."""
    grants = Grants()
    with pytest.raises(TimeoutError):
        await listen(grants)


async def test_an_expiry_in_force_is_the_end():
    """One that was put off no longer counts, one that was brought forward does."""
    near = ManualClock().wall_ns() + 1
    grants = Grants(msgspec.structs.replace(ALICE, expires_ns=near))
    async with grants.streams.lifetime(ALICE):
        grants.exchange(ALICE)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await listen(grants, lambda: grants.exchange(msgspec.structs.replace(ALICE, expires_ns=near)))


async def test_another_policy_is_told_once():
    """A grant that is merely another object with the same policy is not; nor is the same change told again."""
    grants, notices = Grants(ALICE), Notices(lambda: ("tools",))
    async with grants.streams.lifetime(ALICE, notices), asyncio.timeout(5):
        for changed, tells in ((grant(), False), (grant(default="allow"), True), (grant(default="allow"), False)):
            grants.exchange(changed)
            assert notices._changed.is_set() is tells
            if tells:
                await notices.next()
