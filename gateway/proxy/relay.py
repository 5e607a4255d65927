"""Carries a judged message to the server and sees its answer on the way to the agent.

It keeps the rule for agents that go away: for a modern one the call is cancelled at the server at once, for a
legacy one it runs on to its end, unread (design: protocol, section 4, rule 7).
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Final

import msgspec
import orjson

from gateway.mcp import headers as mcp_headers
from gateway.mcp import sse
from gateway.mcp.message import Message, Notification, Request
from gateway.mcp.methods import ENDLESS, REPEATABLE
from gateway.mcp.versions import Era
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import reply
from gateway.proxy.answer_filter import AnswerFilter
from gateway.proxy.notices import Notices
from gateway.proxy.record import Exchange, Outcome
from gateway.proxy.sink import Sink
from gateway.proxy.tool_schemas import ToolSchemas
from gateway.proxy.transfer import JSON, BrokenStreamError, Transfer
from gateway.proxy.underway import Underway
from gateway.proxy.upstream import Answer, Failure, Upstream, UpstreamError
from gateway.tasks import Tasks

logger = logging.getLogger(__name__)

_CANCEL_TIMEOUT_S: Final = 5.0

_BROKEN: Final = Decision(Verdict.ERROR, names.INTERNAL_ERROR, "The gateway could not pass on the answer.")


class Outbound(msgspec.Struct, frozen=True):
    """One request to the server, and what its answer needs."""

    method: str
    """The HTTP method."""
    message: Message | None
    """The judged message; None for GET and DELETE."""
    headers: list[tuple[str, str]]
    grant: str
    """The label of the agent's."""
    has_session: bool
    """Whether the agent is in a legacy session."""
    era: Era
    answer_filter: AnswerFilter | None
    """Applied to the answer, where it may hold a list."""
    seal: Callable[[str], str]
    """Makes the server's session id the agent's."""
    settle: Callable[[], bool]
    """Gives back what the call spent; True when there was something."""
    watch: Callable[[bytes], None] | None = None
    """Told every message of the answer, where somebody learns from it."""
    notices: Notices | None = None
    """What the gateway itself may have to say on the answer's stream."""

    @property
    def body(self) -> bytes | None:
        """The bytes for the server, made from the object that was judged."""
        return None if self.message is None else orjson.dumps(self.message.body)

    @property
    def is_listening(self) -> bool:
        """Whether the answer is a stream that is there to be silent, for as long as the agent listens."""
        return self.method == "GET" or (isinstance(self.message, Request) and self.message.method in ENDLESS)

    @property
    def cancellation(self) -> "Outbound | None":
        """What tells the server of a legacy session that nobody waits for the answer any longer.

        None for what cannot be cancelled so: `initialize`, tasks, and whatever is no request (2025-11-25
        cancellation). Elsewhere closing the stream says it.
        """
        request = self.message
        if not self.has_session or self.era is not Era.LEGACY or not isinstance(request, Request):
            return None
        if request.method == "initialize" or "task" in request.params:
            return None
        params = {"requestId": request.id, "reason": "the gateway's time-out"}
        body = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}
        message = Notification(method="notifications/cancelled", params=params, body=body)
        headers = mcp_headers.without_mirrors(self.headers)
        return msgspec.structs.replace(self, message=message, headers=headers, answer_filter=None)

    @property
    def is_cancelled_by_leaving(self) -> bool:
        """Whether the agent's leaving ends the work: always but for a legacy agent's POST."""
        return self.era is Era.MODERN or self.method != "POST"


class Relay:
    """Runs exchanges against one server."""

    def __init__(self, upstream: Upstream, tasks: Tasks, underway: Underway, keep_alive_s: float) -> None:
        """`underway` says when the gateway's time is up.

        `keep_alive_s` is how long a stream of events may be silent before the agent gets a comment.
        """
        self.upstream = upstream
        self.tool_schemas = ToolSchemas(upstream)
        """Kept for as long as some policy in force needs them."""
        self._tasks = tasks
        self._underway = underway
        self._keep_alive_s = keep_alive_s
        self._users = 0
        self._unused = asyncio.Event()

    async def retire(self) -> None:
        """Nothing new comes this way: close the connections to the server when the last exchange is over."""
        try:
            while self._users:
                self._unused.clear()
                await self._unused.wait()
        finally:
            await self.upstream.close()

    async def run(self, exchange: Exchange, sink: Sink, outbound: Outbound) -> None:
        """Forward, and pass the answer on. Failures of the server become answers, not exceptions.

        Raises `ConnectionError` or `CancelledError` when the agent has gone; the exchange is taken care of.
        """
        with self._in_use():
            await self._run(exchange, sink, outbound)

    @contextlib.contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def _run(self, exchange: Exchange, sink: Sink, outbound: Outbound) -> None:
        transfer = Transfer(
            exchange,
            sink,
            self._tasks,
            answer_filter=outbound.answer_filter,
            seal=outbound.seal,
            awaited_id=outbound.message.id if isinstance(outbound.message, Request) else None,
            watch=outbound.watch,
            notices=outbound.notices,
            keep_alive_s=self._keep_alive_s,
        )
        exchange.forwarded()
        # A task of its own, so that it can outlive the agent's connection.
        sending = self._tasks.spawn(self._send(outbound), "upstream request")
        try:
            async with self._underway.until_cut():
                await self._pass_on(exchange, sink, outbound, transfer, sending)
        except (asyncio.CancelledError, ConnectionError):
            self._left(exchange, outbound, sending)
            raise
        except UpstreamError as error:
            _release(sending)
            await self._failed(exchange, sink, outbound, error)
        except TimeoutError:
            _release(sending)
            await self._cut_off(exchange, sink, outbound, transfer)
        except Exception:
            _release(sending)
            if exchange.is_replying:
                raise
            logger.exception("passing on an answer failed")
            exchange.end(Outcome.FAILED, rule=names.INTERNAL_ERROR)
            await sink.reply(_failure_reply(exchange, outbound, _BROKEN))

    async def _pass_on(
        self, exchange: Exchange, sink: Sink, outbound: Outbound, transfer: Transfer, sending: asyncio.Task[Answer]
    ) -> None:
        answer = await asyncio.shield(sending)
        exchange.answered(answer.status)
        if outbound.has_session and _says_session_lost(answer):
            answer.close()
            exchange.end(Outcome.FAILED, rule=names.SESSION_LOST)
            await sink.reply(reply.refusal(reply.session_not_found()))
            return
        await transfer.run(answer)
        exchange.end(Outcome.COMPLETED)

    async def _cut_off(self, exchange: Exchange, sink: Sink, outbound: Outbound, transfer: Transfer) -> None:
        """The gateway stops: tell the agent, unless it is in the middle of a body."""
        text = "The gateway is stopping and cannot wait for the answer; the call may have run."
        if exchange.is_replying and not transfer.has_stream:
            sink.abort()
        kind = BrokenStreamError if exchange.is_replying and transfer.has_stream else UpstreamError
        await self._failed(exchange, sink, outbound, kind(Failure.STOPPING, text, may_have_run=True))

    async def _send(self, outbound: Outbound) -> Answer:
        message = outbound.message
        is_repeatable = isinstance(message, Request) and message.method in REPEATABLE
        return await self.upstream.send(
            outbound.method,
            outbound.headers,
            outbound.body,
            grant=outbound.grant,
            timeout_s=None if outbound.is_listening else self.patience_s(message),
            is_repeatable=is_repeatable,
            is_listening=outbound.is_listening,
        )

    def patience_s(self, message: Message | None) -> float:
        """How long each piece of the answer to a message may take, but for streams that are there to be silent."""
        upstream = self.upstream
        if isinstance(message, Request) and message.method == "tools/call":
            return upstream.tool_timeouts_s.get(message.target, upstream.timeout_s)
        return upstream.timeout_s

    async def _failed(self, exchange: Exchange, sink: Sink, outbound: Outbound, error: UpstreamError) -> None:
        """Tell the agent that the server failed: in an answer of our own or, if one has begun, within it."""
        self._give_up(outbound, error.failure)
        rolled_back = not error.may_have_run and outbound.settle()
        exchange.end(Outcome.FAILED, rule=error.failure.value, rolled_back=rolled_back)
        decision = Decision(Verdict.ERROR, error.failure.value, str(error))
        if isinstance(error, BrokenStreamError):
            if isinstance(outbound.message, Request):
                body = reply.refused_body(outbound.message, decision, outbound.era, exchange.id)
                await sink.write(sse.encode_event(orjson.dumps(body)))
            await sink.end()
        elif not exchange.is_replying:
            await sink.reply(_failure_reply(exchange, outbound, decision))

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
            # Begins before anything that is told that `run` has ended.
            with self._in_use():
                async with asyncio.timeout(None if outbound.is_listening else self.patience_s(outbound.message)):
                    answer = await sending
                    exchange.answered(answer.status)
                    async for chunk in answer.chunks():
                        exchange.sent(len(chunk))
                # Agents may hang up once they have what they asked for, before the server's stream has ended.
                if not exchange.is_replying:
                    self._end_unknown_session(outbound, answer)
        except UpstreamError as error:
            rule, rolled_back = error.failure.value, not error.may_have_run and outbound.settle()
            self._give_up(outbound, error.failure)
        except TimeoutError:
            rule = Failure.TIMEOUT.value
            self._give_up(outbound, Failure.TIMEOUT)
        finally:
            _release(sending)
            exchange.end(Outcome.ABANDONED, rule=rule, rolled_back=rolled_back)

    def _give_up(self, outbound: Outbound, failure: Failure) -> None:
        """After a time-out, tell the server that nobody waits any longer (2025-11-25 lifecycle, "Timeouts").

        As best one can, while the agent gets its answer: nobody hears whether that succeeded.
        """
        cancellation = outbound.cancellation
        if failure is Failure.TIMEOUT and cancellation is not None:
            self._tasks.spawn(self._tell(cancellation), "cancel at the server")

    def _end_unknown_session(self, outbound: Outbound, answer: Answer) -> None:
        """End the session that an unread answer has opened: nobody else knows of it, so nobody else would."""
        session_id = mcp_headers.value_of(answer.headers, mcp_headers.SESSION_ID)
        if session_id is not None and not outbound.has_session:
            headers = [(mcp_headers.SESSION_ID, session_id)]
            ending = msgspec.structs.replace(outbound, method="DELETE", message=None, headers=headers)
            self._tasks.spawn(self._tell(ending), "end a session that nobody knows of")

    async def _tell(self, outbound: Outbound) -> None:
        with self._in_use():
            answer = await self.upstream.send(
                outbound.method, outbound.headers, outbound.body, grant=outbound.grant, timeout_s=_CANCEL_TIMEOUT_S
            )
            answer.close()


def _release(sending: asyncio.Task[Answer]) -> None:
    """Close the connection of a request, whether or not its answer has begun."""
    if not sending.done():
        sending.cancel()
    elif not sending.cancelled() and sending.exception() is None:
        sending.result().close()


def _says_session_lost(answer: Answer) -> bool:
    """Whether an answer within a session means that the server no longer knows it, whichever way it says so."""
    return answer.status == 404 or (answer.status == 400 and answer.media_type != JSON)


def _failure_reply(exchange: Exchange, outbound: Outbound, decision: Decision) -> reply.Reply:
    if outbound.message is not None:
        return reply.refused(outbound.message, decision, outbound.era, exchange.id)
    return reply.refusal(reply.Refusal(503, "upstream", decision.message, headers={"Retry-After": "1"}))
