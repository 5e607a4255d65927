"""What the agents of one grant ask of a server of 2026-07-28 over stdio: one process, which they share.

That revision has no sessions, so nothing of one agent's is known to another's; only the ids would clash, and are
replaced by numbers of ours. Whether the server speaks the revision at all is asked before anything else.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import orjson

from gateway import __version__
from gateway.mcp import numbering
from gateway.mcp.codes import UNSUPPORTED_VERSION
from gateway.mcp.message import PROTOCOL_VERSION_KEY, Notification, Request
from gateway.proxy.pending_call import PendingCall
from gateway.proxy.server_process import ServerProcess
from gateway.proxy.upstream import Answer, Failure, UpstreamError

logger = logging.getLogger(__name__)

# How long a process may take until it answers at all.
START_S: Final = 30.0

_PROBE: Final = 1


class SharedSession:
    """One process and the requests that are under way on it."""

    def __init__(self, id: str, process: ServerProcess, closed: Callable[[str], None]) -> None:
        """`process` is started by whoever made both, and its messages come to `take`; `closed` is told of the end."""
        self.id = id
        self.process = process
        self._closed = closed
        self.is_open = True
        self._calls: dict[int, PendingCall] = {}
        self._numbers = itertools.count(_PROBE + 1)
        self._is_modern: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for something."""
        return bool(self._calls) or not self._is_modern.done()

    async def probe(self, version: str) -> None:
        """Ask the server whether it speaks this revision, which `is_modern` waits for."""
        meta = {
            PROTOCOL_VERSION_KEY: version,
            "io.modelcontextprotocol/clientCapabilities": {},
            "io.modelcontextprotocol/clientInfo": {"name": "mcp-policy-gateway", "version": __version__},
        }
        question = {"jsonrpc": "2.0", "id": _PROBE, "method": "server/discover", "params": {"_meta": meta}}
        try:
            async with asyncio.timeout(START_S):
                await self.process.write(orjson.dumps(question))
                await asyncio.shield(self._is_modern)
        except (TimeoutError, UpstreamError):
            self.process.fail()
            self.close()

    async def is_modern(self, timeout_s: float | None) -> bool:
        """Whether the server speaks 2026-07-28. Raises `UpstreamError` where it says nothing at all."""
        try:
            async with asyncio.timeout(timeout_s):
                await self.process.started()
                is_modern = await asyncio.shield(self._is_modern)
        except TimeoutError:
            is_modern = None
        if is_modern is None:
            text = "The server's process gave no sign of life, so the call was not run."
            raise UpstreamError(Failure.DOWN, text, may_have_run=False)
        return is_modern

    async def ask(self, request: Request, timeout_s: float | None) -> Answer:
        """Send a request; its answer. Raises `UpstreamError`. Whoever closes the answer cancels the request."""
        number = next(self._numbers)
        call = self._calls[number] = PendingCall(request)
        give_up = partial(self._give_up, number)
        try:
            await self.process.write(numbering.numbered(request, number), timeout_s)
            return await call.begin(timeout_s, give_up)
        except BaseException:
            give_up()
            raise

    async def tell(self, notification: Notification, timeout_s: float | None) -> None:
        """Send a notification. Raises `UpstreamError`.

        A cancellation goes no further: agents over HTTP cancel by closing the answer (2026-07-28, "Cancellation"), and
        an id would not say whose request is meant.
        """
        if notification.method != "notifications/cancelled":
            await self.process.write(orjson.dumps(notification.body), timeout_s)

    async def take(self, message: dict[str, Any], data: bytes) -> None:
        """A message of the process's: to the one whose number it names, else to nobody."""
        number = numbering.number_of(message)
        if number == _PROBE and "method" not in message and not self._is_modern.done():
            self._is_modern.set_result(_shows_modern(message))
            return
        if number is None and numbering.is_log(message):
            number = self._only_logged()
        call = self._calls.get(number) if number is not None else None
        if number is None or call is None:
            logger.debug("a server said something that is about no request under way")
        elif "method" not in message:
            del self._calls[number]
            self._answer(call, message, data)
        elif message["method"] == "notifications/cancelled":
            # How a server over stdio ends a subscription (2026-07-28, "Subscriptions"); over HTTP the stream ends.
            del self._calls[number]
            call.end(None)
        else:
            # One that is nested too deeply is lost; the answer may be well.
            with contextlib.suppress(RecursionError):
                if (restored := numbering.restored(data, call.request)) is not None:
                    call.say(restored)

    def close(self) -> None:
        """End the process; whoever waits is told."""
        if not self.is_open:
            return
        self.is_open = False
        if not self._is_modern.done():
            self._is_modern.set_result(None)
        calls = list(self._calls.values())
        self._calls.clear()
        for call in calls:
            call.end(self.process.broken())
        self.process.end()
        self._closed(self.id)

    def _answer(self, call: PendingCall, message: dict[str, Any], data: bytes) -> None:
        error = message.get("error")
        try:
            answer = numbering.answered(data, call.request)
        except RecursionError:
            text = "The server's answer is nested too deeply to be passed on."
            call.end(UpstreamError(Failure.BROKEN, text, may_have_run=True))
        else:
            call.answer(answer, error.get("code") if isinstance(error, dict) else None)

    def _only_logged(self) -> int | None:
        """The one request that asks for log messages, which over stdio name none; None where there are several."""
        logged = [number for number, call in self._calls.items() if numbering.asks_for_log(call.request)]
        return logged[0] if len(logged) == 1 else None

    def _give_up(self, number: int) -> None:
        if self._calls.pop(number, None) is not None:
            self.process.tell(_cancellation(number))


def _cancellation(number: int) -> bytes:
    params = {"requestId": number, "reason": "nobody waits for the answer any longer"}
    return orjson.dumps({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params})


def _shows_modern(answer: dict[str, Any]) -> bool:
    """Whether an answer to `server/discover` is one of a server that knows the method."""
    error = answer.get("error")
    return error is None or (isinstance(error, dict) and error.get("code") == UNSUPPORTED_VERSION)
