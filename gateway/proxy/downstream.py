"""The MCP endpoint: the life of a request as a list of steps. Each step lives in a module of its own."""

import asyncio
import contextlib
import logging
from typing import Final

from aiohttp import web

from gateway.addresses import ForeignAddressError
from gateway.mcp import headers as mcp_headers
from gateway.mcp.codes import INTERNAL_ERROR, INVALID_REQUEST
from gateway.mcp.headers import Headers
from gateway.mcp.message import Message, Request, Response
from gateway.mcp.parse import MalformedError, parse_message
from gateway.mcp.versions import Era, MismatchError, era_of
from gateway.proxy import edge, reply
from gateway.proxy.connection import Connection
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.endpoints import Endpoint, Role
from gateway.proxy.identity import Identity
from gateway.proxy.record import Exchange, Recorder
from gateway.proxy.reply import CLOSE, Refusal
from gateway.proxy.sink import HttpSink, http_response
from gateway.proxy.snapshot import InForce
from gateway.proxy.sse_downstream import SseDownstream
from gateway.proxy.transfer import EVENT_STREAM
from gateway.proxy.underway import Underway

logger = logging.getLogger(__name__)

# For an agent that is no longer there to see it; the number nginx made customary.
AGENT_GONE: Final = 499


class Downstream:
    """Handles every request on the agents' listener."""

    def __init__(
        self,
        in_force: InForce,
        *,
        identity: Identity,
        dispatch: Dispatch,
        sse: SseDownstream,
        recorder: Recorder,
        underway: Underway,
    ) -> None:
        self._in_force = in_force
        self._identity = identity
        self._dispatch = dispatch
        self._sse = sse
        self._recorder = recorder
        self._underway = underway

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, from its first header to the last byte of its answer."""
        sink = HttpSink(request, self._underway.draining.is_set)
        endpoint = self._endpoint(request.raw_path)
        server = endpoint.server if endpoint else ""
        with (
            self._recorder.exchange(server, request.remote or "", request.method) as exchange,
            self._underway.exchange(),
        ):
            try:
                self._underway.check_open()
                await self._handle(exchange, sink, request, endpoint)
            except Refusal as error:
                await self._refuse(exchange, sink, error)
            except ForeignAddressError as error:
                await self._refuse(exchange, sink, Refusal(error.status, error.reason, str(error)))
            except TimeoutError:
                logger.info("a stream of the grant %r ended with the grant", exchange.grant)
                sink.abort()
            except ConnectionError:
                # What is returned is not sent.
                logger.debug("an agent left in the middle of an answer")
            except asyncio.CancelledError:
                if exchange.is_replying and self._underway.draining.is_set():
                    # A stream that only listens, which ends well if there is anybody to see it.
                    with contextlib.suppress(ConnectionError):
                        await sink.end()
                    return sink.response
                if not exchange.is_decided:
                    exchange.refused(Refusal(AGENT_GONE, "gone", "The agent left before its request was judged."))
                raise
        return sink.response

    def _endpoint(self, target: str) -> Endpoint | None:
        """What is at a request's target, which has a query only where we gave it one ourselves."""
        path, mark, _ = target.partition("?")
        endpoint = self._in_force.snapshot.endpoints.get(path)
        return None if endpoint is None or (mark and endpoint.role is not Role.SSE_MESSAGES) else endpoint

    def refuse_unreadable(self, request: web.BaseRequest, status: int, error: BaseException | None) -> web.Response:
        """The answer to a request that is not HTTP, or on which the gateway itself failed.

        An `error` that is a `Refusal` says everything itself.
        """
        if isinstance(error, Refusal):
            refusal = error
        elif status >= 500:
            logger.error("handling a request failed", exc_info=error)
            refusal = Refusal(500, "internal", "The gateway failed on this request.", code=INTERNAL_ERROR)
        else:
            refusal = Refusal(status, "http", "The request is not well-formed HTTP/1.1.")
        with self._recorder.exchange("", request.remote or "", "") as exchange:
            exchange.refused(refusal)
        return http_response(reply.refusal(refusal))

    async def _refuse(self, exchange: Exchange, sink: HttpSink, refusal: Refusal) -> None:
        exchange.refused(refusal)
        with contextlib.suppress(ConnectionError):
            await sink.reply(reply.refusal(refusal))

    async def _handle(
        self, exchange: Exchange, sink: HttpSink, request: web.BaseRequest, endpoint: Endpoint | None
    ) -> None:
        """Raises `Refusal` and `ForeignAddressError` for what is no request to one of our servers."""
        headers = list(request.headers.items())
        self._in_force.snapshot.addresses.check(headers)
        edge.check_form(request, headers)
        if endpoint is None:
            raise Refusal(404, "path", "No MCP endpoint at this path.")
        grant = self._identity.resolve(headers, endpoint.server)
        exchange.identified(grant)
        if isinstance(request.protocol, Connection):
            request.protocol.claim((grant.server, grant.label))
        match endpoint.role, request.method:
            case Role.MCP, "POST":
                message, era = await self._read(exchange, request, headers)
                caller = self._dispatch.caller(grant, headers)
                await self._dispatch.message(exchange, sink, caller, message, era)
            case Role.MCP, "GET":
                edge.check_accept(headers, EVENT_STREAM)
                caller = self._dispatch.caller(grant, headers)
                exchange.at_close(self._underway.hold_stream(grant.server, grant.label))
                await self._dispatch.stream(exchange, sink, caller)
            case Role.MCP, "DELETE":
                await self._dispatch.end_session(exchange, sink, self._dispatch.caller(grant, headers))
            case Role.SSE_STREAM, "GET":
                edge.check_accept(headers, EVENT_STREAM)
                await self._sse.stream(exchange, sink, grant, request.remote or "")
            case Role.SSE_MESSAGES, "POST":
                conversation = self._sse.conversation(grant, request.raw_path.partition("?")[2])
                message = await self._read_legacy(exchange, request, headers)
                await self._sse.message(exchange, sink, conversation, message, headers)
            case role, _:
                allowed = ", ".join(role.value)
                raise Refusal(405, "method", f"Methods here: {allowed}.", headers={"Allow": allowed, **CLOSE})

    async def _read(self, exchange: Exchange, request: web.BaseRequest, headers: Headers) -> tuple[Message, Era]:
        body = await edge.read_body(request, headers)
        exchange.read(len(body))
        message, era = _read_message(body, headers)
        exchange.parsed()
        return message, era

    async def _read_legacy(self, exchange: Exchange, request: web.BaseRequest, headers: Headers) -> Message:
        """A message whose answer comes on another connection, so that Accept does not matter here."""
        body = await edge.read_body(request, headers, answers=())
        exchange.read(len(body))
        message, _ = _read_message(body, headers, Era.LEGACY)
        exchange.parsed()
        return message


def _read_message(body: bytes, headers: Headers, era: Era | None = None) -> tuple[Message, Era]:
    """The message in `body`, compared with the headers that mirror it. Raises `Refusal` (400).

    `era` where the transport is of one alone.
    """
    try:
        message = parse_message(body)
        era = era or era_of(message, mcp_headers.value_of(headers, mcp_headers.PROTOCOL_VERSION))
        mcp_headers.check(headers, message, era)
    except MalformedError as error:
        raise Refusal(400, error.reason, str(error), code=error.code, id=error.id) from None
    except MismatchError as error:
        id = message.id if isinstance(message, Request) else None
        raise Refusal(400, "header_mismatch", str(error), code=error.code, id=id) from None
    if era is Era.MODERN and isinstance(message, Response):
        raise Refusal(400, "envelope", "Responses are not sent in this revision of the protocol.", code=INVALID_REQUEST)
    return message, era
