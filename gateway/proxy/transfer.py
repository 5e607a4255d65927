"""Moves a server's answer to the agent: as it comes, with back pressure, lists filtered, nothing else changed."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from gateway.mcp import headers as mcp_headers
from gateway.mcp import sse
from gateway.proxy.listing import ListFilter, UnreadableListError
from gateway.proxy.record import Exchange
from gateway.proxy.sink import Sink
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from gateway.tasks import Tasks

MAX_EVENT_BYTES: Final = 16 << 20
MAX_LIST_BYTES: Final = 16 << 20
# Answers up to this size are read whole before any of it is passed on, so that a server which fails in the
# middle still becomes an answer that a client can use.
MAX_GATHERED_BYTES: Final = 64 << 10

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"

KEEP_ALIVE: Final = b": keep-alive\n\n"

# Visible ASCII (2025-11-25 transports, "Session Management").
_SESSION_ID = re.compile(r"[!-~]{1,1024}")


class BrokenStreamError(UpstreamError):
    """The server failed after some of its answer was passed on. On a stream of events the agent can still be told."""


class Transfer:
    """One answer on its way."""

    def __init__(
        self,
        exchange: Exchange,
        sink: Sink,
        tasks: Tasks,
        *,
        list_filter: ListFilter | None,
        seal: Callable[[str], str],
        keep_alive_s: float,
    ) -> None:
        """`seal` makes the server's session id the agent's; `list_filter` is applied where given."""
        self._exchange = exchange
        self._sink = sink
        self._tasks = tasks
        self._list_filter = list_filter
        self._seal = seal
        self._keep_alive_s = keep_alive_s

    async def run(self, answer: Answer) -> None:
        """Pass the whole answer on.

        Raises `UpstreamError` where the server failed before anything was passed on, `BrokenStreamError` where it
        failed within a stream of events, `ConnectionError` where the agent has gone.
        """
        _check(answer)
        headers = mcp_headers.returned(answer.headers)
        headers += [(mcp_headers.SESSION_ID, self._seal(session_id)) for session_id in answer.session_ids]
        if answer.media_type == EVENT_STREAM:
            await self._pass_events(answer, headers)
            return
        is_list = self._list_filter is not None and answer.media_type == JSON
        if not is_list and (answer.content_length is None or answer.content_length > MAX_GATHERED_BYTES):
            await self._pass_bytes(answer, headers)
            return
        body = await answer.read(MAX_LIST_BYTES)
        if self._list_filter is not None and is_list:
            body = _filtered(self._list_filter.filter_json, body)
        await self._begin(answer, headers, len(body))
        await self._write(body)
        await self._sink.end()

    async def _pass_bytes(self, answer: Answer, headers: list[tuple[str, str]]) -> None:
        """Pass a long body on as it comes. If it breaks off, so does ours: a cut body must not look whole."""
        await self._begin(answer, headers, answer.content_length)
        try:
            async for chunk in answer.chunks():
                await self._write(chunk)
        except UpstreamError:
            self._sink.abort()
            raise
        await self._sink.end()

    async def _pass_events(self, answer: Answer, headers: list[tuple[str, str]]) -> None:
        """Pass events on one by one, each whole."""
        await self._begin(answer, headers, None)
        splitter = sse.EventSplitter(MAX_EVENT_BYTES)
        async with self._kept_alive():
            try:
                async for chunk in answer.chunks():
                    events = _split(splitter, chunk)
                    if self._list_filter is not None:
                        events = [_filtered(self._list_filter.filter_event, event) for event in events]
                    if events:
                        await self._write(b"".join(events))
            except UpstreamError as error:
                raise BrokenStreamError(error.failure, str(error), may_have_run=True) from None
        await self._sink.end()

    async def _begin(self, answer: Answer, headers: list[tuple[str, str]], length: int | None) -> None:
        await self._sink.begin(answer.status, headers, length)
        self._exchange.replied()

    async def _write(self, data: bytes) -> None:
        await self._sink.write(data)
        self._exchange.sent(len(data))

    @asynccontextmanager
    async def _kept_alive(self) -> AsyncIterator[None]:
        """Comments on the stream whenever it has been silent, so that neither agents nor proxies give it up."""
        keeping = self._tasks.spawn(self._keep_alive(), "keep a stream alive")
        try:
            yield
        finally:
            keeping.cancel()

    async def _keep_alive(self) -> None:
        """Only whole events are ever written, so a comment between two writes is between two events."""
        sent_before = -1
        while True:
            await asyncio.sleep(self._keep_alive_s)
            if self._exchange.answer_bytes == sent_before:
                await self._sink.write(KEEP_ALIVE)
            sent_before = self._exchange.answer_bytes


def _check(answer: Answer) -> None:
    """Refuse answers that an agent must not see: redirects, challenges to us, crashes, unasked encodings."""
    if answer.is_encoded:
        raise UpstreamError(Failure.BROKEN, "The server sent an encoded answer.", may_have_run=True)
    if len(answer.session_ids) > 1 or not all(_SESSION_ID.fullmatch(id) for id in answer.session_ids):
        raise UpstreamError(Failure.BROKEN, "The server sent no usable session id.", may_have_run=True)
    if 300 <= answer.status < 400 or answer.status in (401, 403, 407) or answer.status >= 500:
        message = f"The server answered with HTTP status {answer.status}."
        raise UpstreamError(Failure.BROKEN, message, may_have_run=True)


def _split(splitter: sse.EventSplitter, chunk: bytes) -> list[bytes]:
    try:
        return splitter.feed(chunk)
    except sse.EventTooLargeError as error:
        raise UpstreamError(Failure.BROKEN, str(error), may_have_run=True) from None


def _filtered(filter_bytes: Callable[[bytes], bytes], data: bytes) -> bytes:
    try:
        return filter_bytes(data)
    except UnreadableListError as error:
        raise UpstreamError(Failure.BROKEN, str(error), may_have_run=True) from None
