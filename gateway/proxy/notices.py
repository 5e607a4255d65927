"""What the gateway itself has to say on an agent's stream: that lists have changed, because its policy has.

`streams` gives the word; whoever writes the stream takes the messages, and sends each between two of the server's.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from gateway.mcp.message import MessageId

_SUBSCRIPTION_ID: Final = "io.modelcontextprotocol/subscriptionId"


class Notices:
    """The notices of one stream. Any number of changes while one waits to be sent are one."""

    def __init__(self, lists: Callable[[], Iterable[str]], subscription: MessageId | None = None) -> None:
        """`lists` gives those whose changes the agent was promised; `subscription` is the id that its stream has."""
        self._lists = lists
        self._params = {} if subscription is None else {"params": {"_meta": {_SUBSCRIPTION_ID: subscription}}}
        self._changed = asyncio.Event()

    def policy_changed(self) -> None:
        """The grant's policy is another one, so that any of its lists may be."""
        self._changed.set()

    async def next(self) -> list[bytes]:
        """Wait for the next change; the messages for the agent, none of them where it was promised none."""
        await self._changed.wait()
        self._changed.clear()
        return [orjson.dumps(self._notification(name)) for name in self._lists()]

    def _notification(self, name: str) -> dict[str, Any]:
        return {"jsonrpc": "2.0", "method": f"notifications/{name}/list_changed", **self._params}
