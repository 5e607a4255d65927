"""What the gateway says of its own accord on a stream."""

import asyncio

import orjson

from gateway.proxy.notices import Notices


async def test_each_promised_list_has_its_notification():
    """One message for each, under the id of the subscription where the stream has one."""
    for subscription, params in ((None, {}), (7, {"params": {"_meta": {"io.modelcontextprotocol/subscriptionId": 7}}})):
        notices = Notices(lambda: ("tools", "prompts"), subscription)
        notices.policy_changed()
        assert list(map(orjson.loads, await notices.next())) == [
            {"jsonrpc": "2.0", "method": f"notifications/{name}/list_changed", **params}
            for name in ("tools", "prompts")
        ]


async def test_changes_that_wait_are_one():
    """However often a policy changes before the agent takes the notice; the next change is another."""
    notices = Notices(lambda: ("tools",))
    for _ in range(3):
        notices.policy_changed()
    assert await notices.next()
    waiting = asyncio.ensure_future(notices.next())
    await asyncio.sleep(0)
    assert not waiting.done()
    notices.policy_changed()
    assert await waiting


async def test_nothing_promised_is_nothing_said():
    """What was promised is asked for when the change is told, not before."""
    lists: list[str] = []
    notices = Notices(lambda: lists)
    notices.policy_changed()
    assert await notices.next() == []
    lists.append("tools")
    notices.policy_changed()
    assert len(await notices.next()) == 1
