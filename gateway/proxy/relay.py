"""Carries a judged message to the server and the answer back, as it comes, with back pressure.

It also keeps the rule for agents that go away: for a modern one the call is cancelled at the server at once,
for a legacy one it runs on to its end, unread (design: protocol, section 4, rule 7).
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final

import orjson
from aiohttp import web

from gateway.mcp import headers as mcp_headers
from gateway.mcp import sse
from gateway.mcp.message import Message, Request
from gateway.mcp.versions import Era
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import reply
from gateway.proxy.listing import ListFilter, UnreadableListError
from gateway.proxy.record import Exchange, Outcome
from gateway.proxy.upstream import Answer, Failure, Upstream, UpstreamError
from gateway.tasks import Tasks

WRITE_TIMEOUT_S: Final = 10.0
MAX_EVENT_BYTES: Final = 16 << 20
MAX_LIST_BYTES: Final = 16 << 20
# Answers up to this size are read whole before any of it is passed on, so that a server which fails in the
# middle still becomes an answer that a client can use.
MAX_GATHERED_BYTES: Final = 64 << 10

# Visible ASCII (2025-11-25 transports, "Session Management").
_SESSION_ID = re.compile(r"[!-~]{1,1024}")

# For an agent that is no longer there to see it; the number nginx made customary.
AGENT_GONE: Final = 499

JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"


class Outbound:
    """One request to the server: the judged message (None for GET and DELETE) and what goes with it."""

    def __init__(
        self,
        method: str,
        message: Message | None,
        headers: list[tuple[str, str]],
        era: Era,
        *,
        list_filter: ListFilter | None,
        seal: Callable[[str], str],
        settle: Callable[[], bool],
    ) -> None:
        self.method = method
        self.message = message
        self.headers = headers
        self.era = era
        self.list_filter = list_filter
        """Applied to the answer, where it may hold a list."""
        self.seal = seal
        """Makes the server's session id the agent's."""
        self.settle = settle
        """Gives back what the call spent; True when there was something."""

    @property
    def body(self) -> bytes | None:
        """The bytes for the server, made from the object that was judged."""
        return None if self.message is None else orjson.dumps(self.message.body)

    @property
    def is_cancelled_by_leaving(self) -> bool:
        """Whether the agent's leaving ends the work: always but for a legacy agent's POST."""
        return self.era is Era.MODERN or self.method != "POST"


class Relay:
    """Runs exchanges against one server."""

    def __init__(self, upstream: Upstream, tasks: Tasks) -> None:
        self._upstream = upstream
        self._tasks = tasks

    async def run(self, exchange: Exchange, request: web.BaseRequest, outbound: Outbound) -> web.StreamResponse:
        """Forward, and stream the answer to the agent. Failures of the server become answers, not exceptions."""
        exchange.forwarded()
        # A task of its own, so that it can outlive the agent's connection.
        sending = self._tasks.spawn(
            self._upstream.send(outbound.method, outbound.headers, outbound.body), "upstream request"
        )
        try:
            answer = await asyncio.shield(sending)
            exchange.answered(answer.status)
            _check_answer(answer)
            response = await self._copy(exchange, request, outbound, answer)
        except asyncio.CancelledError:
            self._left(exchange, outbound, sending)
            raise
        except ConnectionError:
            self._left(exchange, outbound, sending)
            return web.Response(status=AGENT_GONE)
        except UpstreamError as error:
            _release(sending)
            return self._failed(exchange, outbound, error)
        exchange.end(Outcome.COMPLETED)
        return response

    async def _copy(
        self, exchange: Exchange, request: web.BaseRequest, outbound: Outbound, answer: Answer
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status)
        for name, value in mcp_headers.returned(answer.headers):
            response.headers.add(name, value)
        for session_id in answer.session_ids:
            response.headers[mcp_headers.SESSION_ID] = outbound.seal(session_id)
        if answer.media_type == EVENT_STREAM:
            return await self._copy_events(exchange, request, outbound, answer, response)
        is_list = outbound.list_filter is not None and answer.media_type == JSON
        if not is_list and (answer.content_length is None or answer.content_length > MAX_GATHERED_BYTES):
            return await self._copy_bytes(exchange, request, answer, response)
        body = await answer.read(MAX_LIST_BYTES)
        if outbound.list_filter is not None and is_list:
            body = _filtered(outbound.list_filter.filter_json, body)
        return await self._write_whole(exchange, request, response, body)

    async def _copy_bytes(
        self, exchange: Exchange, request: web.BaseRequest, answer: Answer, response: web.StreamResponse
    ) -> web.StreamResponse:
        """Pass a long body on as it comes. If it breaks off, so does ours: a cut body must not look whole."""
        response.content_length = answer.content_length
        await response.prepare(request)
        exchange.replied()
        try:
            async for chunk in answer.chunks():
                await _write(exchange, request, response, chunk)
        except UpstreamError as error:
            exchange.end(Outcome.FAILED, rule=error.failure.value)
            _abort(request)
        else:
            await response.write_eof()
        return response

    async def _copy_events(
        self,
        exchange: Exchange,
        request: web.BaseRequest,
        outbound: Outbound,
        answer: Answer,
        response: web.StreamResponse,
    ) -> web.StreamResponse:
        """Pass events on one by one. A server that fails in the middle is reported on the stream itself."""
        await response.prepare(request)
        exchange.replied()
        splitter = sse.EventSplitter(MAX_EVENT_BYTES)
        list_filter = outbound.list_filter
        try:
            async for chunk in answer.chunks():
                events = _split(splitter, chunk)
                if list_filter is not None:
                    events = [_filtered(list_filter.filter_event, event) for event in events]
                if events:
                    await _write(exchange, request, response, b"".join(events))
        except UpstreamError as error:
            answer.close()
            exchange.end(Outcome.FAILED, rule=error.failure.value)
            if isinstance(outbound.message, Request):
                body = reply.refused_body(outbound.message, _decision(error), outbound.era, exchange.id)
                await _write(exchange, request, response, sse.encode_event(orjson.dumps(body)))
        await response.write_eof()
        return response

    async def _write_whole(
        self, exchange: Exchange, request: web.BaseRequest, response: web.StreamResponse, body: bytes
    ) -> web.StreamResponse:
        response.content_length = len(body)
        await response.prepare(request)
        exchange.replied()
        await _write(exchange, request, response, body)
        await response.write_eof()
        return response

    def _failed(self, exchange: Exchange, outbound: Outbound, error: UpstreamError) -> web.StreamResponse:
        """The answer for a server that failed before any of its own reached the agent."""
        rolled_back = not error.may_have_run and outbound.settle()
        exchange.end(Outcome.FAILED, rule=error.failure.value, rolled_back=rolled_back)
        if isinstance(outbound.message, Request):
            return reply.refused(outbound.message, _decision(error), outbound.era, exchange.id)
        unavailable = reply.Refusal(503, "upstream", str(error), headers={"Retry-After": "1"})
        return reply.refusal(unavailable)

    def _left(self, exchange: Exchange, outbound: Outbound, sending: asyncio.Task[Answer]) -> None:
        """The agent has gone: end the work, or see it through unread."""
        if outbound.is_cancelled_by_leaving:
            _release(sending)
            exchange.end(Outcome.CANCELLED)
        else:
            exchange.detach()
            self._tasks.spawn(self._drain(exchange, outbound, sending), "drain an abandoned call")

    async def _drain(self, exchange: Exchange, outbound: Outbound, sending: asyncio.Task[Answer]) -> None:
        """Read an abandoned call's answer to its end, within the server's time-out."""
        rule, rolled_back = "", False
        try:
            async with asyncio.timeout(self._upstream.timeout_s):
                answer = await sending
                exchange.answered(answer.status)
                async for chunk in answer.chunks():
                    exchange.sent(len(chunk))
        except UpstreamError as error:
            rule, rolled_back = error.failure.value, not error.may_have_run and outbound.settle()
        except TimeoutError:
            rule = Failure.TIMEOUT.value
        finally:
            _release(sending)
            exchange.end(Outcome.ABANDONED, rule=rule, rolled_back=rolled_back)


def _release(sending: asyncio.Task[Answer]) -> None:
    """Close the connection of a request, whether or not its answer has begun."""
    if not sending.done():
        sending.cancel()
    elif not sending.cancelled() and sending.exception() is None:
        sending.result().close()


def _check_answer(answer: Answer) -> None:
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


async def _write(exchange: Exchange, request: web.BaseRequest, response: web.StreamResponse, data: bytes) -> None:
    """Write to the agent. Raises `ConnectionError` when it has gone, or has stopped reading and is cut off."""
    try:
        async with asyncio.timeout(WRITE_TIMEOUT_S):
            await response.write(data)
    except TimeoutError:
        _abort(request)
        raise ConnectionAbortedError("the agent stopped reading") from None
    exchange.sent(len(data))


def _abort(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _decision(error: UpstreamError) -> Decision:
    return Decision(Verdict.ERROR, error.failure.value, str(error))
