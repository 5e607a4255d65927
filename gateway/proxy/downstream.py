"""The MCP endpoint: the life of a request as a list of steps. Each step lives in a module of its own."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from aiohttp import web

from gateway.addresses import Addresses, ForeignAddressError
from gateway.mcp import headers as mcp_headers
from gateway.mcp import session
from gateway.mcp.codes import INTERNAL_ERROR, INVALID_REQUEST
from gateway.mcp.headers import Headers
from gateway.mcp.message import Message, Request, Response
from gateway.mcp.methods import METHODS, Governance
from gateway.mcp.parse import MalformedError, parse_message
from gateway.mcp.versions import Era, MismatchError, era_of
from gateway.policy import names
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import edge, reply
from gateway.proxy.gate import Gate
from gateway.proxy.identity import Grant, Identity
from gateway.proxy.listing import ListFilter
from gateway.proxy.record import Exchange, Recorder
from gateway.proxy.relay import Outbound, Relay
from gateway.proxy.reply import Refusal, Reply
from gateway.proxy.sink import HttpSink, http_response
from gateway.proxy.transfer import EVENT_STREAM, JSON
from gateway.proxy.underway import Underway

logger = logging.getLogger(__name__)

_LISTS: Final = frozenset({Governance.TOOL_LIST, Governance.RESOURCE_LIST, Governance.PROMPT_LIST})
# For an agent that is no longer there to see it; the number nginx made customary.
AGENT_GONE: Final = 499
_STREAM: Final = Decision(Verdict.ALLOW, names.PROTOCOL)


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
        gate: Gate,
        recorder: Recorder,
        underway: Underway,
        session_key: bytes,
    ) -> None:
        """`endpoints` by the exact path that reaches them, such as `/mcp/binassist`."""
        self._endpoints = endpoints
        self._addresses = addresses
        self._identity = identity
        self._gate = gate
        self._recorder = recorder
        self._session_key = session_key
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
                outbound = await self._judged_message(exchange, sink, request, headers, grant)
            case "GET" | "DELETE":
                outbound = self._stream_or_end(exchange, request, headers, grant)
            case _:
                raise Refusal(405, "method", "Use POST, GET or DELETE.", headers={"Allow": "POST, GET, DELETE"})
        if outbound is None:
            return
        lifetime_s = None
        if outbound.is_listening:
            exchange.at_close(self._underway.hold_stream(grant.label))
            lifetime_s = self._identity.remaining_s(grant)
        async with asyncio.timeout(lifetime_s):
            await endpoint.relay.run(exchange, sink, outbound)

    async def _judged_message(
        self, exchange: Exchange, sink: HttpSink, request: web.BaseRequest, headers: Headers, grant: Grant
    ) -> Outbound | None:
        """What a POST sends on to the server; None when it was refused and answered."""
        body = await edge.read_body(request, headers)
        exchange.read()
        message, era = _read_message(body, headers)
        exchange.parsed()
        upstream_session = self._session(headers, grant)
        if upstream_session is not None and isinstance(message, Request):
            exchange.at_close(self._underway.hold_id(grant.server, upstream_session, message.id))
        elif upstream_session is None and isinstance(message, Response):
            raise Refusal(
                400, "envelope", "A response belongs to a session: Mcp-Session-Id is missing.", code=INVALID_REQUEST
            )
        judged = self._gate.decide(grant, message)
        decision = exchange.decided(grant, message, judged)
        if decision is not judged:
            self._gate.settle(grant, judged)
        if decision.verdict is not Verdict.ALLOW:
            await sink.reply(_refused(message, decision, era, exchange))
            return None
        is_list = isinstance(message, Request) and METHODS.get(message.method) in _LISTS
        return self._outbound(
            "POST",
            message,
            [("Content-Type", JSON), ("Accept", f"{JSON}, {EVENT_STREAM}")],
            headers,
            grant,
            upstream_session,
            era=era,
            filters_lists=is_list,
            settle=lambda: self._gate.settle(grant, judged),
        )

    def _stream_or_end(self, exchange: Exchange, request: web.BaseRequest, headers: Headers, grant: Grant) -> Outbound:
        """GET opens a legacy session's stream, DELETE ends the session. Neither carries a message to judge."""
        if request.method == "GET":
            edge.check_accept(headers, EVENT_STREAM)
        upstream_session = self._session(headers, grant)
        decision = exchange.decided(grant, None, _STREAM)
        if decision.verdict is not Verdict.ALLOW:
            raise Refusal(503, "audit", decision.message, headers={"Retry-After": "1"})
        return self._outbound(
            request.method,
            None,
            [("Accept", EVENT_STREAM)],
            headers,
            grant,
            upstream_session,
            era=Era.LEGACY,
            # An answer that was resumed arrives on a GET stream, and may be a list.
            filters_lists=request.method == "GET",
            settle=lambda: False,
        )

    def _outbound(
        self,
        method: str,
        message: Message | None,
        ours: list[tuple[str, str]],
        headers: Headers,
        grant: Grant,
        session_id: str | None,
        *,
        era: Era,
        filters_lists: bool,
        settle: Callable[[], bool],
    ) -> Outbound:
        """A request to the server: our headers, then those of the agent's that travel on."""
        session_header = [] if session_id is None else [(mcp_headers.SESSION_ID, session_id)]
        return Outbound(
            method,
            message,
            [*ours, *session_header, *mcp_headers.forwarded(headers)],
            session_id is not None,
            era,
            list_filter=ListFilter(grant.engine, self._recorder.tools.learn) if filters_lists else None,
            seal=lambda id: session.seal(self._session_key, grant.server, grant.label, id),
            settle=settle,
        )

    def _session(self, headers: Headers, grant: Grant) -> str | None:
        """The server's own session id, for the agent's. Raises `Refusal` (404) for one that is not its own."""
        sealed = mcp_headers.value_of(headers, mcp_headers.SESSION_ID)
        if sealed is None:
            return None
        upstream_id = session.unseal(self._session_key, grant.server, grant.label, sealed)
        if upstream_id is None:
            raise reply.session_not_found()
        return upstream_id


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


def _refused(message: Message, decision: Decision, era: Era, exchange: Exchange) -> Reply:
    if isinstance(message, Request) and message.method not in METHODS:
        return reply.unknown_method(message, era)
    return reply.refused(message, decision, era, exchange.id)
