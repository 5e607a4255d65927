"""Moves a server's answer to the agent: as it comes, with back pressure, lists filtered, nothing else changed."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Final

from gateway.mcp import headers as mcp_headers
from gateway.mcp import sse
from gateway.mcp.message import MessageId
from gateway.proxy.answer_filter import AnswerFilter, UnreadableAnswerError
from gateway.proxy.awaited import AwaitedAnswer
from gateway.proxy.notices import Notices
from gateway.proxy.record import Exchange
from gateway.proxy.sink import Sink
from gateway.proxy.upstream import Answer, Failure, UpstreamError
from gateway.tasks import Tasks

MAX_EVENT_BYTES: Final = 16 << 20
MAX_LIST_BYTES: Final = 16 << 20
# Answers up to this size are read whole before any of it is passed on, so that a server which fails in the
# middle, or answers something else, still becomes an answer that a client can use.
MAX_GATHERED_BYTES: Final = 1 << 20

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"

# Statuses that concern us and the server, not the agent.
_NOT_OURS: Final = frozenset({401, 403, 407})
# Statuses that leave a request without an answer, or that no client library survives.
_NO_ANSWER: Final = frozenset({202, 204, 205, 408, 413, 421, 429})

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
        answer_filter: AnswerFilter | None,
        seal: Callable[[str], str],
        keep_alive_s: float,
        awaited_id: MessageId | None = None,
        watch: Callable[[bytes], None] | None = None,
        notices: Notices | None = None,
    ) -> None:
        """`seal` makes the server's session id the agent's; `answer_filter` is applied where given.

        `awaited_id` is the id of the agent's request, where it needs an answer to one. `watch` is told every message
        of the answer; `notices` are put between the events of a stream.
        """
        self._exchange = exchange
        self._sink = sink
        self._tasks = tasks
        self._answer_filter = answer_filter
        self._seal = seal
        self._keep_alive_s = keep_alive_s
        self._awaited = None if awaited_id is None else AwaitedAnswer(awaited_id)
        self._watch = watch
        self._notices = notices
        self.has_stream = False
        """Whether what is passed on is a stream of events, on which more can be said."""

    async def run(self, answer: Answer) -> None:
        """Pass the whole answer on.

        Raises `UpstreamError` where the server failed before anything was passed on, `BrokenStreamError` where it
        failed within a stream of events, `ConnectionError` where the agent has gone.
        """
        _check(answer, is_awaited=self._awaited is not None)
        headers = mcp_headers.returned(answer.headers)
        for session_id in answer.session_ids:
            self._exchange.opened(session_id)
            headers.append((mcp_headers.SESSION_ID, self._seal(session_id)))
        if answer.media_type == EVENT_STREAM:
            await self._pass_events(answer, headers)
            return
        answer_filter = self._answer_filter
        is_read = self._watch is not None or (answer_filter is not None and answer_filter.must_read)
        if is_read:
            body = await answer.read(MAX_LIST_BYTES)
        else:
            chunks = answer.chunks()
            body = await _beginning(chunks)
            if len(body) > MAX_GATHERED_BYTES:
                await self._pass_bytes(answer, headers, body, chunks)
                return
        # What comes with the status of an error is no answer to wait for: the status says enough.
        if self._awaited is not None and answer.status < 300:
            self._awaited.check_body(body)
        if answer_filter is not None and (answer_filter.must_read or answer.media_type == JSON):
            body = self._filtered_body(answer_filter, answer, body)
        if self._watch is not None:
            self._watch(body)
        await self._begin(answer, headers, len(body))
        await self._write(body)
        await self._sink.end()

    async def _pass_bytes(
        self, answer: Answer, headers: list[tuple[str, str]], beginning: bytes, rest: AsyncIterator[bytes]
    ) -> None:
        """Pass a long body on as it comes. If it breaks off, so does ours: a cut body must not look whole."""
        await self._begin(answer, headers, answer.content_length)
        await self._write(beginning)
        try:
            async for chunk in rest:
                await self._write(chunk)
        except UpstreamError:
            self._sink.abort()
            raise
        await self._sink.end()

    async def _pass_events(self, answer: Answer, headers: list[tuple[str, str]]) -> None:
        """Pass events on one by one, each whole."""
        self.has_stream = True
        await self._begin(answer, headers, None)
        splitter = sse.EventSplitter(MAX_EVENT_BYTES)
        async with self._accompanied():
            try:
                async for chunk in answer.chunks():
                    events = [event for event in _split(splitter, chunk) if self._takes(event)]
                    if self._watch is not None:
                        self._watch_events(self._watch, events)
                    if self._answer_filter is not None:
                        events = [_filtered(self._answer_filter.filter_event, event) for event in events]
                    if events:
                        await self._write(b"".join(events))
                if self._awaited is not None:
                    self._awaited.check_end()
            except UpstreamError as error:
                raise BrokenStreamError(error.failure, str(error), may_have_run=True) from None
        await self._sink.end()

    def _takes(self, event: bytes) -> bool:
        return self._awaited is None or self._awaited.takes(event)

    def _filtered_body(self, answer_filter: AnswerFilter, answer: Answer, body: bytes) -> bytes:
        if answer.media_type == JSON and answer.has_one_media_type:
            return _filtered(answer_filter.filter_json, body)
        if body and answer.status < 400:
            raise UpstreamError(Failure.BROKEN, "The server sent a list that is no JSON.", may_have_run=True)
        # An error's status says enough; a list could hide in a body that is not what it is said to be.
        return b""

    async def _begin(self, answer: Answer, headers: list[tuple[str, str]], length: int | None) -> None:
        await self._sink.begin(answer.status, headers, length)
        self._exchange.replied()

    async def _write(self, data: bytes) -> None:
        await self._sink.write(data)
        self._exchange.sent(len(data))

    def _watch_events(self, watch: Callable[[bytes], None], events: list[bytes]) -> None:
        for event in events:
            if data := sse.event_data(event):
                watch(data)

    @contextlib.asynccontextmanager
    async def _accompanied(self) -> AsyncIterator[None]:
        """What we say ourselves on a stream of events, while it is open."""
        ours = [self._tasks.spawn(self._keep_alive(), "keep a stream alive")]
        if self._notices is not None:
            ours.append(self._tasks.spawn(self._notify(self._notices), "tell of changed lists"))
        try:
            yield
        finally:
            for task in ours:
                task.cancel()

    async def _notify(self, notices: Notices) -> None:
        """Only whole events are ever written, each at once, so a notice is between two of the server's."""
        with contextlib.suppress(ConnectionError):
            while True:
                for message in await notices.next():
                    await self._write(sse.encode_event(message))

    async def _keep_alive(self) -> None:
        """Comments whenever the stream has been silent, so that neither agents nor proxies give it up.

        Only whole events are ever written, so a comment between two writes is between two events.
        """
        sent_before = -1
        # An agent that has gone is noticed where the answer is written.
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.sleep(self._keep_alive_s)
                if self._exchange.answer_bytes == sent_before:
                    await self._sink.write(KEEP_ALIVE)
                sent_before = self._exchange.answer_bytes


def _check(answer: Answer, *, is_awaited: bool) -> None:
    """Refuse answers that an agent must not see: redirects, challenges to us, crashes, unasked encodings.

    An agent that waits for an answer would wait for ever on one that has none, or lose its session over a status
    that is none of its business.
    """
    if answer.is_encoded:
        raise UpstreamError(Failure.BROKEN, "The server sent an encoded answer.", may_have_run=True)
    if len(answer.session_ids) > 1 or not all(_SESSION_ID.fullmatch(id) for id in answer.session_ids):
        raise UpstreamError(Failure.BROKEN, "The server sent no usable session id.", may_have_run=True)
    is_useless = is_awaited and (answer.status in _NO_ANSWER or (answer.status < 300 and not _is_message(answer)))
    if answer.status < 200 or 300 <= answer.status < 400 or answer.status in _NOT_OURS or answer.status >= 500:
        is_useless = True
    if is_useless:
        message = f"The server answered with HTTP status {answer.status} and {answer.media_type or 'no content'}."
        raise UpstreamError(Failure.BROKEN, message, may_have_run=True)


async def _beginning(chunks: AsyncIterator[bytes]) -> bytes:
    """A whole body, or so much of it that it is too long to be gathered."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_GATHERED_BYTES:
            break
    return bytes(body)


def _is_message(answer: Answer) -> bool:
    return answer.media_type in (JSON, EVENT_STREAM) and answer.has_one_media_type


def _split(splitter: sse.EventSplitter, chunk: bytes) -> list[bytes]:
    try:
        return splitter.feed(chunk)
    except sse.EventTooLargeError as error:
        raise UpstreamError(Failure.BROKEN, str(error), may_have_run=True) from None


def _filtered(filter_bytes: Callable[[bytes], bytes], data: bytes) -> bytes:
    try:
        return filter_bytes(data)
    except UnreadableAnswerError as error:
        raise UpstreamError(Failure.BROKEN, str(error), may_have_run=True) from None
