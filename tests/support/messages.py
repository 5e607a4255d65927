"""Messages for tests, read by the parser as an agent's would be."""

from typing import Any

import orjson

from gateway.mcp.message import PROTOCOL_VERSION_KEY, Message, Notification, Request, Response
from gateway.mcp.parse import parse_message


def read(**members: Any) -> Message:
    """A message of these members, besides `jsonrpc`."""
    return parse_message(orjson.dumps({"jsonrpc": "2.0", **members}))


def request(method: str, id: int | str = 1, **params: Any) -> Request:
    """A request of a legacy agent's."""
    message = read(id=id, method=method, params=params)
    assert isinstance(message, Request)
    return message


def call(tool: str = "cancel_task", id: int | str = 1, **arguments: Any) -> Request:
    """A `tools/call` of a legacy agent's."""
    return request("tools/call", id, name=tool, arguments=arguments)


def modern(method: str, version: str = "2026-07-28", **params: Any) -> Request:
    """A request that names its revision in `_meta`, as modern agents do."""
    return request(method, **params, _meta={PROTOCOL_VERSION_KEY: version})


def notification(method: str = "notifications/initialized", **params: Any) -> Notification:
    """A notification."""
    message = read(method=method, params=params)
    assert isinstance(message, Notification)
    return message


def response(id: int | str = 1) -> Response:
    """A legacy agent's answer to a request of the server's."""
    message = read(id=id, result={})
    assert isinstance(message, Response)
    return message
