"""The MCP endpoint: the life of a request as a list of steps. Each step lives in a module of its own."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web

from gateway.addresses import Addresses, ForeignAddressError
from gateway.mcp import headers as mcp_headers
from gateway.mcp.codes import INTERNAL_ERROR, INVALID_REQUEST
from gateway.mcp.headers import Headers
from gateway.mcp.message import Message, Request, Response
from gateway.mcp.parse import MalformedError, parse_message
from gateway.mcp.versions import Era, MismatchError, era_of
from gateway.proxy import edge, reply
from gateway.proxy.dispatch import Dispatch
from gateway.proxy.identity import Identity
from gateway.proxy.record import Exchange, Recorder
from gateway.proxy.relay import Relay
from gateway.proxy.reply import Refusal
from gateway.proxy.sink import HttpSink, http_response
from gateway.proxy.transfer import EVENT_STREAM
from gateway.proxy.underway import Underway

logger = logging.getLogger(__name__)

# For an agent that is no longer there to see it; the number nginx made customary.
AGENT_GONE: Final = 499


class Endpoint(msgspec.Struct, frozen=True):
    """One server as agents reach it."""

    server: str
    relay: Relay


class Downstream:
    """Handles every request on the agents' listener."""

    def __init__(
        self,
        endpoints: Mapping[str, Endpoint],
        *,
        addresses: Addresses,
        identity: Identity,
        dispatch: Dispatch,
        recorder: Recorder,
        underway: Underway,
    ) -> None:
        """`endpoints` by the exact path that reaches them, such as `/mcp/binassist`."""
        self._endpoints = endpoints
        self._addresses = addresses
        self._identity = identity
        self._dispatch = dispatch
        self._recorder = recorder
        self._underway = underway

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, from its first header to the last byte of its answer."""
        sink = HttpSink(request)
        endpoint = self._endpoints.get(request.raw_path)
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
                if not exchange.is_decided:
                    exchange.refused(Refusal(AGENT_GONE, "gone", "The agent left before its request was whole."))
                raise
        return sink.response

    def refuse_unreadable(self, request: web.BaseRequest, status: int, error: BaseException | None) -> web.Response:
        """The answer to a request that is not HTTP, or on which the gateway itself failed."""
        if status >= 500:
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
        self._addresses.check(headers)
        edge.check_form(request, headers)
        if endpoint is None:
            raise Refusal(404, "path", "No MCP endpoint at this path.")
        grant = self._identity.resolve(headers, endpoint.server)
        exchange.identified(grant)
        match request.method:
            case "POST":
                message, era = await self._read(exchange, request, headers)
                caller = self._dispatch.caller(grant, endpoint.relay, headers)
                await self._dispatch.message(exchange, sink, caller, message, era)
            case "GET":
                edge.check_accept(headers, EVENT_STREAM)
                await self._dispatch.stream(exchange, sink, self._dispatch.caller(grant, endpoint.relay, headers))
            case "DELETE":
                await self._dispatch.end_session(exchange, sink, self._dispatch.caller(grant, endpoint.relay, headers))
            case _:
                raise Refusal(405, "method", "Use POST, GET or DELETE.", headers={"Allow": "POST, GET, DELETE"})

    async def _read(self, exchange: Exchange, request: web.BaseRequest, headers: Headers) -> tuple[Message, Era]:
        body = await edge.read_body(request, headers)
        exchange.read()
        message, era = _read_message(body, headers)
        exchange.parsed()
        return message, era


def _read_message(body: bytes, headers: Headers) -> tuple[Message, Era]:
    """The message in `body`, compared with the headers that mirror it. Raises `Refusal` (400)."""
    try:
        message = parse_message(body)
        era = era_of(message, mcp_headers.value_of(headers, mcp_headers.PROTOCOL_VERSION))
        mcp_headers.check(headers, message, era)
    except MalformedError as error:
        raise Refusal(400, error.reason, str(error), code=error.code, id=error.id) from None
    except MismatchError as error:
        id = message.id if isinstance(message, Request) else None
        raise Refusal(400, "header_mismatch", str(error), code=error.code, id=id) from None
    if era is Era.MODERN and isinstance(message, Response):
        raise Refusal(400, "envelope", "Responses are not sent in this revision of the protocol.", code=INVALID_REQUEST)
    return message, era
