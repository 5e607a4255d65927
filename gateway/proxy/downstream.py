"""The MCP endpoint: the life of a request as a list of steps. Each step lives in a module of its own."""

import logging
from collections.abc import Mapping
from typing import Final

import msgspec
from aiohttp import web

from gateway.addresses import Addresses, ForeignAddressError
from gateway.mcp import headers as mcp_headers
from gateway.mcp import session
from gateway.mcp.headers import Headers
from gateway.mcp.message import Message, Request, Response
from gateway.mcp.methods import METHODS, Governance
from gateway.mcp.parse import MalformedError, parse_message
from gateway.mcp.versions import Era, MismatchError, era_of
from gateway.policy.decision import Decision, Verdict
from gateway.proxy import edge, reply
from gateway.proxy.gate import Gate
from gateway.proxy.identity import Grant, Identity
from gateway.proxy.listing import ListFilter
from gateway.proxy.record import Exchange, Recorder
from gateway.proxy.relay import EVENT_STREAM, JSON, Outbound, Relay
from gateway.proxy.reply import Refusal

logger = logging.getLogger(__name__)

_SESSION_NOT_FOUND: Final = -32001
_LISTS: Final = frozenset({Governance.TOOL_LIST, Governance.RESOURCE_LIST, Governance.PROMPT_LIST})
_STREAM: Final = Decision(Verdict.ALLOW, "(protocol)")


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
        session_key: bytes,
    ) -> None:
        """`endpoints` by the exact path that reaches them, such as `/mcp/binassist`."""
        self._endpoints = endpoints
        self._addresses = addresses
        self._identity = identity
        self._gate = gate
        self._recorder = recorder
        self._session_key = session_key

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request, from its first header to the last byte of its answer."""
        endpoint = self._endpoints.get(request.raw_path)
        server = endpoint.server if endpoint else ""
        with self._recorder.exchange(server, request.remote or "", request.method) as exchange:
            try:
                return await self._handle(exchange, request, endpoint)
            except Refusal as error:
                refusal = error
            except ForeignAddressError as error:
                refusal = Refusal(error.status, error.reason, str(error))
            except Exception:
                if exchange.is_replying:
                    raise
                logger.exception("handling a request failed")
                refusal = Refusal(500, "internal", "The gateway failed on this request.", code=reply.INTERNAL_ERROR)
            exchange.refused(refusal)
            return reply.refusal(refusal)

    async def _handle(
        self, exchange: Exchange, request: web.BaseRequest, endpoint: Endpoint | None
    ) -> web.StreamResponse:
        """Raises `Refusal` and `ForeignAddressError` for what is no request to one of our servers."""
        headers = [(name, value) for name, value in request.headers.items()]
        self._addresses.check(headers)
        edge.check_form(request, headers)
        if endpoint is None:
            raise Refusal(404, "path", "No MCP endpoint at this path.")
        grant = self._identity.resolve(headers, endpoint.server)
        exchange.identified(grant)
        match request.method:
            case "POST":
                return await self._post(exchange, request, headers, endpoint, grant)
            case "GET" | "DELETE":
                return await self._stream_or_end(exchange, request, headers, endpoint, grant)
            case _:
                raise Refusal(405, "method", "Use POST, GET or DELETE.", headers={"Allow": "POST, GET, DELETE"})

    async def _post(
        self, exchange: Exchange, request: web.BaseRequest, headers: Headers, endpoint: Endpoint, grant: Grant
    ) -> web.StreamResponse:
        body = await edge.read_body(request, headers)
        exchange.read()
        message, era = _read_message(body, headers)
        exchange.parsed()
        upstream_session = self._session(headers, grant)
        judged = self._gate.decide(grant, message)
        decision = exchange.decided(grant, message, judged)
        if decision is not judged:
            self._gate.settle(grant, judged)
        if decision.verdict is not Verdict.ALLOW:
            return _refused(message, decision, era, exchange)
        sent = [("Content-Type", JSON), ("Accept", f"{JSON}, {EVENT_STREAM}"), *upstream_session]
        is_list = isinstance(message, Request) and METHODS.get(message.method) in _LISTS
        outbound = Outbound(
            "POST",
            message,
            [*sent, *mcp_headers.forwarded(headers)],
            era,
            list_filter=self._list_filter(grant) if is_list else None,
            seal=lambda id: session.seal(self._session_key, grant.server, grant.label, id),
            settle=lambda: self._gate.settle(grant, judged),
        )
        return await endpoint.relay.run(exchange, request, outbound)

    async def _stream_or_end(
        self, exchange: Exchange, request: web.BaseRequest, headers: Headers, endpoint: Endpoint, grant: Grant
    ) -> web.StreamResponse:
        """GET opens a legacy session's stream, DELETE ends the session. Neither carries a message to judge."""
        upstream_session = self._session(headers, grant)
        decision = exchange.decided(grant, None, _STREAM)
        if decision.verdict is not Verdict.ALLOW:
            raise Refusal(503, "audit", decision.message, headers={"Retry-After": "1"})
        outbound = Outbound(
            request.method,
            None,
            [("Accept", EVENT_STREAM), *upstream_session, *mcp_headers.forwarded(headers)],
            Era.LEGACY,
            # An answer that was resumed arrives on a GET stream, and may be a list.
            list_filter=self._list_filter(grant) if request.method == "GET" else None,
            seal=lambda id: session.seal(self._session_key, grant.server, grant.label, id),
            settle=lambda: False,
        )
        return await endpoint.relay.run(exchange, request, outbound)

    def _session(self, headers: Headers, grant: Grant) -> list[tuple[str, str]]:
        """The server's own session header, for the agent's. Raises `Refusal` (404) for one that is not its own."""
        sealed = next((value for name, value in headers if name.lower() == mcp_headers.SESSION_ID), None)
        if sealed is None:
            return []
        upstream_id = session.unseal(self._session_key, grant.server, grant.label, sealed)
        if upstream_id is None:
            raise Refusal(404, "session", "Session not found", code=_SESSION_NOT_FOUND)
        return [("Mcp-Session-Id", upstream_id)]

    def _list_filter(self, grant: Grant) -> ListFilter:
        return ListFilter(grant.engine, self._recorder.tools.learn)


def _read_message(body: bytes, headers: Headers) -> tuple[Message, Era]:
    """The message in `body`, compared with the headers that mirror it. Raises `Refusal` (400)."""
    try:
        message = parse_message(body)
        era = era_of(message, mcp_headers.single(headers, mcp_headers.PROTOCOL_VERSION))
        mcp_headers.check(headers, message, era)
    except MalformedError as error:
        raise Refusal(400, error.reason, str(error), code=error.code, id=error.id) from None
    except MismatchError as error:
        id = message.id if isinstance(message, Request) else None
        raise Refusal(400, "header_mismatch", str(error), code=error.code, id=id) from None
    if era is Era.MODERN and isinstance(message, Response):
        raise Refusal(400, "envelope", "Responses are not sent in this revision of the protocol.")
    return message, era


def _refused(message: Message, decision: Decision, era: Era, exchange: Exchange) -> web.Response:
    if isinstance(message, Request) and message.method not in METHODS:
        return reply.unknown_method(message, era)
    return reply.refused(message, decision, era, exchange.id)
