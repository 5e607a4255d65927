"""The one strict reading of an agent's bytes. Whatever two parsers could read differently is refused.

MCP servers parse the body again, with parsers that disagree about duplicate keys, encodings, huge
integers and odd ids; a body is accepted only where all of them agree (design: security, section B).
"""

from typing import Any, Final

from gateway.errors import GatewayError
from gateway.mcp import strict_json
from gateway.mcp.codes import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from gateway.mcp.message import PROTOCOL_VERSION_KEY, Message, MessageId, Notification, Request, Response
from gateway.mcp.methods import TARGET_MEMBER
from gateway.mcp.strict_json import StrictJsonError

MAX_ID_LENGTH: Final = 128
MAX_NAME_LENGTH: Final = 128
# Beyond this, a JSON number is no longer exact in every language (RFC 8259, section 6).
MAX_ID: Final = 2**53

_ENVELOPE: Final = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_CALL_MEMBERS: Final = frozenset({"name", "arguments", "_meta", "task", "inputResponses", "requestState"})
_PARAMS_MEMBERS: Final = _CALL_MEMBERS | frozenset(TARGET_MEMBER.values())
# What a policy has rules for besides tools: judged by what they name, and prompts by their arguments.
_READS: Final = frozenset({"prompts/get", "resources/read", "resources/subscribe", "resources/unsubscribe"})
_SUBSCRIPTION_MEMBERS: Final = frozenset({"resourceSubscriptions"})
_REMOVED: Final = frozenset({"resources/subscribe", "resources/unsubscribe"})
_REFERENCES: Final = {"ref/prompt": "name", "ref/resource": "uri"}
_META_MEMBERS: Final = frozenset({PROTOCOL_VERSION_KEY})
_NOTIFICATION_PREFIX: Final = "notifications/"


class MalformedError(GatewayError):
    """A body that is refused with HTTP 400. `reason` is a short label from a closed set, for metrics."""

    def __init__(self, reason: str, message: str, *, code: int = INVALID_REQUEST, id: MessageId | None = None) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code
        self.id = id


def parse_message(body: bytes) -> Message:
    """Read one JSON-RPC message.

    Raises `MalformedError` for anything that is not exactly one well-formed message which every JSON
    parser reads alike. Its `id` is the request's own where that could be read.
    """
    try:
        document = strict_json.load(body)
    except StrictJsonError as error:
        raise MalformedError(error.reason, str(error), code=PARSE_ERROR) from None
    if isinstance(document, list):
        raise MalformedError("batch", "Batches are not accepted: send one message in each POST.")
    if not isinstance(document, dict):
        raise MalformedError("not_an_object", "The body must be one JSON-RPC message: a JSON object.")
    _check_members(document, _ENVELOPE, "The message")
    if document.get("jsonrpc") != "2.0":
        raise MalformedError("jsonrpc", 'The member "jsonrpc" must be the string "2.0".')
    id = _read_id(document)
    if "method" not in document:
        return _read_response(document, id)
    if "result" in document or "error" in document:
        raise MalformedError("envelope", 'A message with "method" cannot also carry "result" or "error".', id=id)
    return _read_call(document, id)


def _check_members(document: dict[str, Any], known: frozenset[str], where: str, id: MessageId | None = None) -> None:
    """Refuse members that a lenient parser could take for a known one (`Method`, `name` with a NUL)."""
    strangers = document.keys() - known
    if strangers and not {_folded(member) for member in known}.isdisjoint(map(_folded, strangers)):
        message = f"{where} has a member that only resembles a known one: write it exactly."
        raise MalformedError("confusable_member", message, id=id)


def _folded(member: str) -> str:
    """What a parser that ignores case, or ends names at a NUL, makes of a member."""
    return member.replace("\0", "").casefold()


def _read_id(document: dict[str, Any]) -> MessageId | None:
    """The id, or None where the member is absent. Raises `MalformedError` for an id of any other type."""
    if "id" not in document:
        return None
    id = document["id"]
    # By exact type: a boolean is an int to Python. SDKs take `true`, `1.0` and `null` for no id at all and
    # the request for a notification, which would run unanswered.
    if type(id) is int and -MAX_ID <= id <= MAX_ID:
        return id
    if type(id) is str and len(id) <= MAX_ID_LENGTH:
        return id
    raise MalformedError(
        "id",
        f'The member "id" must be an integer within 2^53 or a string of at most {MAX_ID_LENGTH} characters.',
    )


def _read_response(document: dict[str, Any], id: MessageId | None) -> Response:
    if id is None or ("result" in document) == ("error" in document):
        raise MalformedError("envelope", 'A message needs a "method", or an "id" with one of "result" and "error".')
    return Response(id, document)


def _read_call(document: dict[str, Any], id: MessageId | None) -> Request | Notification:
    method = document["method"]
    if not isinstance(method, str):
        raise MalformedError("method", 'The member "method" must be a string.', id=id)
    params = document.get("params")
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise MalformedError("params", 'The member "params" must be an object.', id=id)
    meta = params.get("_meta", {})
    if not isinstance(meta, dict):
        raise MalformedError("params", 'The member "_meta" of "params" must be an object.', id=id)
    _check_members(params, _PARAMS_MEMBERS, '"params"', id)
    _check_members(meta, _META_MEMBERS, '"_meta"', id)
    if id is None:
        return _read_notification(method, params, document)
    if method == "tools/call":
        _check_tool_call(params, id)
    elif method == "completion/complete":
        _check_reference(params, id)
    elif method == "subscriptions/listen":
        _check_subscription(params, id)
    elif method in _READS:
        _check_read(method, params, id)
    return Request(id, method, params, document)


def _read_notification(method: str, params: dict[str, Any], document: dict[str, Any]) -> Notification:
    """Notifications are never judged, so no method that could be is taken for one."""
    if not method.startswith(_NOTIFICATION_PREFIX):
        raise MalformedError("id", 'Without an "id" this would run unanswered: send it as a request.')
    return Notification(method, params, document)


def _check_tool_call(params: dict[str, Any], id: MessageId) -> None:
    """The params of `tools/call` are policy input, so they hold exactly what the revisions define."""
    unknown = next((member for member in params if member not in _CALL_MEMBERS), None)
    if unknown is not None:
        raise MalformedError("params", f"Unknown member of params: {unknown[:64]!r}.", code=INVALID_PARAMS, id=id)
    name = params.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_LENGTH:
        raise MalformedError(
            "name",
            f"The tool's name must be a string of 1 to {MAX_NAME_LENGTH} characters.",
            code=INVALID_PARAMS,
            id=id,
        )
    if any(character < " " or character == "\x7f" for character in name):
        raise MalformedError("name", "The tool's name has a control character.", code=INVALID_PARAMS, id=id)
    _check_arguments(params, id)


def _check_read(method: str, params: dict[str, Any], id: MessageId) -> None:
    """What is named must be named by a string: a server might take something else for one."""
    member = TARGET_MEMBER[method]
    if method in _REMOVED and member not in params:
        # Servers of 2026-07-28 answer these with 404 whatever the params. They name nothing that could be read.
        return
    if not isinstance(params.get(member), str):
        raise MalformedError("name", f"params.{member} must be a string.", code=INVALID_PARAMS, id=id)
    _check_arguments(params, id)


def _check_reference(params: dict[str, Any], id: MessageId) -> None:
    """A completion is for a prompt or a resource, and says which."""
    reference: Any = params.get("ref")
    kind = reference.get("type") if isinstance(reference, dict) else None
    member = _REFERENCES.get(kind) if isinstance(kind, str) else None
    if member is None or not isinstance(reference.get(member), str):
        message = "params.ref must name a prompt (ref/prompt, name) or a resource (ref/resource, uri)."
        raise MalformedError("name", message, code=INVALID_PARAMS, id=id)


def _check_subscription(params: dict[str, Any], id: MessageId) -> None:
    """What is subscribed to is judged, so it is a list of addresses where there is one (2026-07-28 subscriptions)."""
    wanted = params.get("notifications", {})
    if not isinstance(wanted, dict):
        raise MalformedError("params", "params.notifications must be an object.", code=INVALID_PARAMS, id=id)
    _check_members(wanted, _SUBSCRIPTION_MEMBERS, '"notifications"', id)
    resources = wanted.get("resourceSubscriptions") or []
    if not isinstance(resources, list) or not all(isinstance(uri, str) for uri in resources):
        message = "params.notifications.resourceSubscriptions must be a list of strings."
        raise MalformedError("name", message, code=INVALID_PARAMS, id=id)


def _check_arguments(params: dict[str, Any], id: MessageId) -> None:
    arguments = params.get("arguments")
    if arguments is not None and not isinstance(arguments, dict):
        raise MalformedError("arguments", "The arguments must be an object.", code=INVALID_PARAMS, id=id)
