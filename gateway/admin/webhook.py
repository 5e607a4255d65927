"""Tells a URL of the operator's, by a signed POST, that an approval is asked for. No call ever waits for it."""

import asyncio
import contextlib
import hashlib
import hmac
import logging
from typing import Any, Final

import aiohttp
import orjson

from gateway.clock import Clock
from gateway.reading.scalars import instant_text
from gateway.store.approval import Approval

logger = logging.getLogger(__name__)

TIMESTAMP: Final = "X-Gateway-Timestamp"
SIGNATURE: Final = "X-Gateway-Signature"

MAX_QUEUED: Final = 256
TIMEOUT_S: Final = 5.0
# Before the second attempt, and so on; after the last one the message is given up.
RETRY_AFTER_S: Final = (1.0, 2.0, 4.0, 8.0, 16.0)


class Webhook:
    """Sends one message after the other."""

    def __init__(self, url: str, secret: bytes, clock: Clock, *, include_arguments: bool) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._include_arguments = include_arguments
        self._queue: asyncio.Queue[Approval] = asyncio.Queue(MAX_QUEUED)

    def announce(self, approval: Approval) -> None:
        """Send it when its turn comes. Never waits; what does not fit into the queue is dropped and logged."""
        try:
            self._queue.put_nowait(approval)
        except asyncio.QueueFull:
            logger.warning("webhook: %d messages wait already; dropped that of approval %s", MAX_QUEUED, approval.id)

    async def run(self) -> None:
        """Deliver what is announced, until cancelled."""
        # The URL is the operator's and no redirect is followed, so nobody else says where this goes.
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), cookie_jar=aiohttp.DummyCookieJar()
        ) as client:
            while True:
                approval = await self._queue.get()
                if not await self._deliver(client, approval):
                    logger.warning("webhook: approval %s could not be announced; gave up", approval.id)

    async def _deliver(self, client: aiohttp.ClientSession, approval: Approval) -> bool:
        body = orjson.dumps(self._message(approval))
        for pause_s in (*RETRY_AFTER_S, None):
            if await self._is_accepted(client, body):
                return True
            if pause_s is None or self._clock.wall_ns() >= approval.expires_ns:
                break
            await asyncio.sleep(pause_s)
        return False

    async def _is_accepted(self, client: aiohttp.ClientSession, body: bytes) -> bool:
        timestamp = str(self._clock.wall_ns() // 1_000_000_000)
        headers = {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: f"sha256={signature(self._secret, timestamp, body)}",
        }
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with client.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
                return 200 <= response.status < 300
        return False

    def _message(self, approval: Approval) -> dict[str, Any]:
        call = approval.call
        message: dict[str, Any] = {
            "type": "approval.asked",
            "id": approval.id,
            "grant": call.grant,
            "server": call.server,
            "tool": call.tool,
            "rule": approval.rule,
            "asked": instant_text(approval.asked_ns),
            "expires": instant_text(approval.expires_ns),
            "argument_keys": call.argument_keys,
        }
        if self._include_arguments:
            message["arguments"] = orjson.loads(call.arguments)
        return message


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 in hex, over the timestamp, a full stop and the body: an old message cannot be sent anew."""
    return hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
