"""One request to a server that says everything on one stream, and what it says about that one until it is answered.

`server_session` and `shared_session` fill it. Nobody is held up by an agent that reads too slowly: it loses
notifications, never the answer.
"""

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Final

from gateway.mcp import sse
from gateway.mcp.codes import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MISSING_CAPABILITY,
    UNSUPPORTED_VERSION,
)
from gateway.mcp.message import Request
from gateway.proxy.mailbox import MAX_HELD_BYTES
from gateway.proxy.transfer import EVENT_STREAM, JSON
from gateway.proxy.upstream import Answer, Failure, UpstreamError

EVENTS: Final = [("Content-Type", EVENT_STREAM), ("Cache-Control", "no-cache")]

# An answer within this time is one JSON body with the status that belongs to it; then a stream begins.
PROMPT_S: Final = 1.0

# 2026-07-28 transports, "Protocol Version Header" and "Server Validation".
_STATUS: Final = {
    METHOD_NOT_FOUND: 404,
    INVALID_REQUEST: 400,
    INVALID_PARAMS: 400,
    HEADER_MISMATCH: 400,
    MISSING_CAPABILITY: 400,
    UNSUPPORTED_VERSION: 400,
}


class PendingCall:
    """A request, from when it is sent until it is answered or given up."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._said: collections.deque[bytes] = collections.deque()
        self._said_bytes = 0
        self._answer: bytes | None = None
        self._status = 200
        self._failure: UpstreamError | None = None
        self._is_over = False
        self._news = asyncio.Event()

    def has_token(self, token: object) -> bool:
        """Whether the agent wants to be told of progress under this token."""
        meta = self.request.params.get("_meta")
        own = meta.get("progressToken") if isinstance(meta, dict) else None
        # By exact type: 1.0 and true are equal to 1 to Python.
        return own is not None and type(own) is type(token) and own == token

    def say(self, data: bytes) -> None:
        """The server has sent a notification about the request. The oldest are dropped where there are too many."""
        self._said.append(data)
        self._said_bytes += len(data)
        while self._said_bytes > MAX_HELD_BYTES and len(self._said) > 1:
            self._said_bytes -= len(self._said.popleft())
        self._news.set()

    def answer(self, data: bytes, error_code: object = None) -> None:
        """The server has answered, with this code if it is an error."""
        self._answer = data
        self._status = _STATUS.get(error_code, 200) if isinstance(error_code, int) else 200
        self.end(None)

    def end(self, failure: UpstreamError | None) -> None:
        """Nothing more will come."""
        self._failure = failure
        self._is_over = True
        self._news.set()

    async def begin(self, timeout_s: float | None, give_up: Callable[[], None]) -> Answer:
        """The answer as HTTP has it, once it is known how it begins; otherwise as `stream`. Raises `UpstreamError`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PROMPT_S if timeout_s is None else min(PROMPT_S, timeout_s)):
                await self._news.wait()
        if self._answer is None or self._said:
            return self.stream(timeout_s, give_up)
        body = self._answer
        return Answer(self._status, [("Content-Type", JSON)], lambda: _once(body), give_up, len(body))

    def stream(
        self, timeout_s: float | None, give_up: Callable[[], None], headers: Iterable[tuple[str, str]] = ()
    ) -> Answer:
        """The answer as a stream of events, each of which may take `timeout_s`.

        `give_up` is called when nobody waits any more, even if the server has answered by then.
        """
        return Answer(200, [*EVENTS, *headers], lambda: self._events(timeout_s, give_up), give_up)

    async def _events(self, timeout_s: float | None, give_up: Callable[[], None]) -> AsyncIterator[bytes]:
        while True:
            while self._said:
                data = self._said.popleft()
                self._said_bytes -= len(data)
                yield sse.encode_event(data)
            if self._failure is not None:
                raise self._failure
            if self._is_over:
                if self._answer is not None:
                    yield sse.encode_event(self._answer)
                return
            self._news.clear()
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait()
            except TimeoutError:
                give_up()
                raise UpstreamError(Failure.TIMEOUT, "The server did not answer in time.", may_have_run=True) from None


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
