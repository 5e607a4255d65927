"""What an agent is told when its request goes no further: decisions and failures as JSON-RPC, with a status for HTTP.

A refused `tools/call` is a tool result with `isError`, the only shape that every client library shows to its
model and survives (design: protocol, section 3.2). HTTP errors are for requests that are not MCP at all.
"""

from collections.abc import Mapping
from typing import Any, Final, assert_never

import msgspec

from gateway.errors import GatewayError
from gateway.mcp.codes import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    POLICY_DENIED,
    POLICY_LIMITED,
    SESSION_NOT_FOUND,
    UNSUPPORTED_VERSION,
)
from gateway.mcp.message import Message, MessageId, Notification, Request, Response, claimed_version
from gateway.mcp.versions import HANDSHAKE_VERSIONS, Era
from gateway.policy.decision import Decision, Verdict
from gateway.reading.scalars import instant_text
from gateway.store.approval import Approval

DECISION_KEY: Final = "gateway.policy/decision"

CLOSE: Final = {"Connection": "close"}
"""Headers of a refusal after which the agent's connection ends."""


class Refusal(GatewayError):
    """A request that is refused as HTTP. `reason` is a short label from a closed set, for metrics and records."""

    def __init__(
        self,
        status: int,
        reason: str,
        message: str,
        *,
        code: int | None = None,
        id: MessageId | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.code = code if code is not None else status * 100
        self.id = id
        self.headers = dict(headers or {})


def session_not_found() -> Refusal:
    """What an agent needs to hear to initialize again (2025-11-25 transports, "Session Management")."""
    return Refusal(404, "session", "Session not found", code=SESSION_NOT_FOUND)


class Reply(msgspec.Struct, frozen=True):
    """An answer of our own making. Transports without statuses and headers pass on the body alone."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = {}


def refusal(refusal: Refusal) -> Reply:
    """The HTTP error for a `Refusal`, with a JSON-RPC error as its body."""
    return Reply(refusal.status, error_body(refusal.id, refusal.code, str(refusal)), refusal.headers)


def refused(
    message: Message, decision: Decision, era: Era, exchange_id: str, approval: Approval | None = None
) -> Reply:
    """The answer to a message that the decision does not let through. `approval` is what it waits for or lacks."""
    match message:
        case Request():
            return Reply(200, refused_body(message, decision, era, exchange_id, approval))
        case Notification() | Response():
            status = 503 if decision.verdict is Verdict.ERROR else 400
            return Reply(status, error_body(None, _code(decision.verdict), _text(decision)))
        case _:
            assert_never(message)


def refused_body(
    request: Request, decision: Decision, era: Era, exchange_id: str, approval: Approval | None = None
) -> dict[str, Any]:
    """The JSON-RPC message for a refused or failed request (policy.md, "What the agent gets")."""
    status = _status(decision, exchange_id, approval)
    if request.method != "tools/call":
        return error_body(request.id, _code(decision.verdict), _text(decision), {DECISION_KEY: status})
    result: dict[str, Any] = {
        "content": [{"type": "text", "text": _text(decision)}],
        "isError": True,
        "_meta": {DECISION_KEY: status},
    }
    if era is Era.MODERN:
        result["resultType"] = "complete"
    return {"jsonrpc": "2.0", "id": request.id, "result": result}


def unknown_method(request: Request, era: Era) -> Reply:
    """-32601, which modern agents expect with HTTP 404 and legacy ones with 200."""
    body = error_body(request.id, METHOD_NOT_FOUND, "Method not found")
    return Reply(404 if era is Era.MODERN else 200, body)


def unknown_task(request: Request) -> Reply:
    """-32602, for a task that is not there and for one that is another grant's alike (2025-11-25 tasks)."""
    return Reply(200, error_body(request.id, INVALID_PARAMS, "Unknown task"))


def legacy_only(request: Request) -> Reply:
    """For a request of 2026-07-28 or later where only older revisions are spoken: agents that can, initialize then.

    They ask with `server/discover` first, which the older revisions do not have.
    """
    if request.method == "server/discover":
        return unknown_method(request, Era.MODERN)
    message = "Only revisions before 2026-07-28 are spoken here: open a session with initialize."
    data = {"supported": list(HANDSHAKE_VERSIONS), "requested": claimed_version(request)}
    return Reply(400, error_body(request.id, UNSUPPORTED_VERSION, message, data))


def error_body(id: MessageId | None, code: int, message: str, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """A JSON-RPC error message."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": id, "error": error}


def _text(decision: Decision) -> str:
    match decision.verdict:
        case Verdict.PENDING:
            return f"[APPROVAL PENDING] {decision.message}"
        case Verdict.ERROR:
            return f"[CALL FAILED] {decision.message}"
        case Verdict.DENY | Verdict.THROTTLE | Verdict.ALLOW:
            return f"[POLICY DENIED] {decision.message}"
        case _:
            assert_never(decision.verdict)


def _code(verdict: Verdict) -> int:
    match verdict:
        case Verdict.THROTTLE:
            return POLICY_LIMITED
        case Verdict.ERROR:
            return INTERNAL_ERROR
        case Verdict.DENY | Verdict.PENDING | Verdict.ALLOW:
            return POLICY_DENIED
        case _:
            assert_never(verdict)


def _status(decision: Decision, exchange_id: str, approval: Approval | None) -> dict[str, Any]:
    status: dict[str, Any] = {"id": exchange_id, "verdict": decision.verdict.value, "rule": decision.rule}
    if decision.limit is not None:
        if decision.limit.retry_after_ms is not None:
            status["retry_after_ms"] = decision.limit.retry_after_ms
        status["limit"] = decision.limit.limit
        status["remaining"] = decision.limit.remaining
    if approval is not None:
        status["approval"] = {"id": approval.id, "expires": instant_text(approval.expires_ns)}
    return status
