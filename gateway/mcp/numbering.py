"""Ids of ours in place of the agents', where several agents share one connection to a server of 2026-07-28.

A request goes out under a number; everything that the server says about it names that number, and gets back what the
agent called it. What is said is otherwise passed on byte for byte.
"""

from typing import Any, Final

import msgspec
import orjson

from gateway.mcp.message import MessageId, Request
from gateway.mcp.methods import ENDLESS

SUBSCRIPTION_ID_KEY: Final = "io.modelcontextprotocol/subscriptionId"
LOG_LEVEL_KEY: Final = "io.modelcontextprotocol/logLevel"

_Members = dict[str, msgspec.Raw]


def numbered(request: Request, number: int) -> bytes:
    """The request as the server gets it: its id, and its progress token if it has one, are `number`."""
    body = request.body | {"id": number}
    meta = request.params.get("_meta")
    if isinstance(meta, dict) and "progressToken" in meta:
        body["params"] = request.params | {"_meta": meta | {"progressToken": number}}
    return orjson.dumps(body)


def number_of(message: dict[str, Any]) -> int | None:
    """The number that a message of the server's is about; None where it names none."""
    if "method" not in message:
        return _whole(message.get("id"))
    params = message.get("params")
    if "id" in message or not isinstance(params, dict):
        return None
    meta = params.get("_meta")
    match message["method"]:
        case "notifications/progress":
            return _whole(params.get("progressToken"))
        case "notifications/cancelled":
            return _whole(params.get("requestId"))
        case _ if isinstance(meta, dict):
            return _whole(meta.get(SUBSCRIPTION_ID_KEY))
        case _:
            return None


def is_log(message: dict[str, Any]) -> bool:
    """Whether a message of the server's is a log message."""
    is_notification = message.get("method") == "notifications/message" and "id" not in message
    return is_notification and isinstance(message.get("params"), dict)


def asks_for_log(request: Request) -> bool:
    """Whether the agent wants log messages about the request; without that there are none (2026-07-28, "Logging")."""
    meta = request.params.get("_meta")
    return isinstance(meta, dict) and LOG_LEVEL_KEY in meta


def answered(data: bytes, request: Request) -> bytes:
    """The answer to `request`, `data` as the server wrote it, under the agent's id.

    What is beside the id keeps its bytes, numbers that no parser of ours could hold included.
    """
    members = msgspec.json.decode(data, type=_Members)
    members["id"] = _raw(request.id)
    if request.method in ENDLESS and "result" in members:
        members["result"] = _with_subscription(members["result"], request)
    return msgspec.json.encode(members)


def restored(data: bytes, request: Request) -> bytes | None:
    """A notification about `request`, with what the agent called things; otherwise as `answered`.

    None for progress where the agent asked for none.
    """
    members = msgspec.json.decode(data, type=_Members)
    params = msgspec.json.decode(members["params"], type=_Members)
    if "progressToken" in params:
        meta = request.params.get("_meta", {})
        if "progressToken" not in meta:
            return None
        params["progressToken"] = _raw(meta["progressToken"])
    members["params"] = _with_subscription(msgspec.Raw(msgspec.json.encode(params)), request)
    return msgspec.json.encode(members)


def _with_subscription(data: msgspec.Raw, request: Request) -> msgspec.Raw:
    """`data` with the agent's id where it names the subscription that it belongs to; any other as it is."""
    try:
        members = msgspec.json.decode(data, type=_Members)
        meta = msgspec.json.decode(members.get("_meta", msgspec.Raw(b"{}")), type=_Members)
    except msgspec.ValidationError:
        return data
    if SUBSCRIPTION_ID_KEY not in meta:
        return data
    meta[SUBSCRIPTION_ID_KEY] = _raw(request.id)
    members["_meta"] = msgspec.Raw(msgspec.json.encode(meta))
    return msgspec.Raw(msgspec.json.encode(members))


def _whole(value: object) -> int | None:
    # By exact type: 1.0 and true are the same key as 1 to Python.
    return value if type(value) is int else None


def _raw(value: MessageId | Any) -> msgspec.Raw:
    return msgspec.Raw(orjson.dumps(value))
