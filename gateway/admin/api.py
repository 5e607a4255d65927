"""The HTTP API of the second listener: approvals, for people's own tools. Host and Origin are checked before it.

Everything needs an admin token, which no agent has. Nothing that a GET does changes anything.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
import orjson
from aiohttp import web

from gateway.approval_desk import ApprovalDesk
from gateway.errors import GatewayError, StateError
from gateway.mcp import strict_json
from gateway.store.approval import State
from gateway.store.approvals import NotPendingError, UnknownApprovalError
from gateway.tokens import token_digest

MAX_BODY_BYTES: Final = 16 * 1024
MAX_REASON: Final = 500
READ_TIMEOUT_S: Final = 10.0

_SCHEME: Final = "bearer "
# What is shown here is nobody else's to keep.
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class ApiError(GatewayError):
    """A request that is refused with this status; the message is for whoever sent it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class _Decision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of `approve` and `deny`."""

    reason: str = ""


class Api:
    """Handles what is asked under `/api/`."""

    def __init__(self, desk: ApprovalDesk, tokens: Callable[[], Mapping[bytes, str]]) -> None:
        """`tokens` gives the labels of admin tokens by their digests; with none, everything is refused."""
        self._desk = desk
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        """For the second listener."""
        one = "/api/approvals/{id}"
        return [
            web.get("/api/approvals", self._answering(self._list), allow_head=False),
            web.get(one, self._answering(self._show), allow_head=False),
            web.post(f"{one}/approve", self._answering(self._approve)),
            web.post(f"{one}/deny", self._answering(self._deny)),
            web.route("*", "/api/{rest:.*}", self._answering(self._nothing)),
        ]

    def _answering(self, handle: Callable[[web.Request, str], Awaitable[Any]]) -> Handler:
        """The handler that answers in JSON, with what `handle` returns for the approver or with its error."""

        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                return _json(200, await handle(request, self._approver(request)))
            except ApiError as error:
                return _json(error.status, {"error": str(error)})
            except UnknownApprovalError as error:
                return _json(404, {"error": str(error)})
            except NotPendingError as error:
                return _json(409, {"error": str(error)})
            except StateError as error:
                return _json(503, {"error": str(error)})

        return handler

    def _approver(self, request: web.Request) -> str:
        """The label of the admin token that a request carries. Raises `ApiError`."""
        tokens = self._tokens()
        if not tokens:
            raise ApiError(403, "No admin token is configured: make one with `gateway admin new LABEL`.")
        values = request.headers.getall("Authorization", [])
        written = values[0] if len(values) == 1 else ""
        token = written[len(_SCHEME) :] if written.lower().startswith(_SCHEME) else ""
        label = tokens.get(token_digest(token)) if token and token.isascii() else None
        if label is None:
            raise ApiError(401, "An admin token is required: send it as `Authorization: Bearer TOKEN`.")
        return label

    async def _list(self, request: web.Request, _: str) -> Any:
        written = request.query.get("state")
        try:
            state = None if written is None else State(written)
        except ValueError:
            raise ApiError(400, f"state is one of {', '.join(State)}.") from None
        return {"approvals": [approval.to_json() for approval in await self._desk.listed(state)]}

    async def _show(self, request: web.Request, _: str) -> Any:
        return (await self._desk.find(request.match_info["id"])).to_json()

    async def _approve(self, request: web.Request, approver: str) -> Any:
        return await self._decide(request, approver, State.APPROVED)

    async def _deny(self, request: web.Request, approver: str) -> Any:
        return await self._decide(request, approver, State.DENIED)

    async def _nothing(self, request: web.Request, _: str) -> Any:
        raise ApiError(404, "There is no such method at this path.")

    async def _decide(self, request: web.Request, approver: str, state: State) -> Any:
        reason = (await _read(request)).reason.strip()
        decided = await self._desk.decide(request.match_info["id"], state, approver=approver, reason=reason)
        return decided.to_json()


async def _read(request: web.Request) -> _Decision:
    """The body of a decision. Raises `ApiError`."""
    # A page of another origin can send a form without being asked, but not this type.
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise ApiError(415, "Send the decision as application/json.")
    if "Content-Encoding" in request.headers:
        raise ApiError(415, "Send the body as it is, without Content-Encoding.")
    if request.content_length is None:
        raise ApiError(411, "Send the length of the body.")
    if request.content_length > MAX_BODY_BYTES:
        raise ApiError(413, f"The body is longer than {MAX_BODY_BYTES} bytes.")
    try:
        async with asyncio.timeout(READ_TIMEOUT_S):
            body = await request.read()
    except TimeoutError:
        raise ApiError(408, "The body did not arrive in time.") from None
    try:
        decision = msgspec.convert(strict_json.load(body), _Decision)
    except (strict_json.StrictJsonError, msgspec.ValidationError) as error:
        raise ApiError(400, f'The body must be {{"reason": "…"}} or {{}}: {error}') from None
    if len(decision.reason) > MAX_REASON:
        raise ApiError(400, f"The reason is longer than {MAX_REASON} characters.")
    return decision


def _json(status: int, value: Any) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(value), content_type="application/json", headers=_HEADERS)
