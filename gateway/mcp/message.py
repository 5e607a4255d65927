"""One JSON-RPC message from an agent, as a value. `parse` makes them; the proxy routes by their type."""

from typing import Any

import msgspec

from gateway.mcp.methods import TARGET_MEMBER

MessageId = int | str

PROTOCOL_VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CLIENT_INFO_KEY = "io.modelcontextprotocol/clientInfo"


class Request(msgspec.Struct, frozen=True):
    """A message that wants an answer."""

    id: MessageId
    method: str
    params: dict[str, Any]
    """Empty when the agent sent none."""
    body: dict[str, Any]
    """The whole message: what is judged, and what the forwarded bytes are made from."""

    @property
    def target(self) -> str:
        """The tool, prompt, resource or task that the request names; empty where it names none."""
        return target_of(self.method, self.params)

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of a call; empty when the agent sent none, or something that is no object."""
        arguments = self.params.get("arguments")
        return arguments if isinstance(arguments, dict) else {}


class Notification(msgspec.Struct, frozen=True):
    """A message that wants no answer."""

    method: str
    params: dict[str, Any]
    body: dict[str, Any]

    @property
    def target(self) -> str:
        """The thing that the notification names; empty where it names none."""
        return target_of(self.method, self.params)


class Response(msgspec.Struct, frozen=True):
    """A legacy agent's answer to a request of the server's."""

    id: MessageId
    body: dict[str, Any]


Message = Request | Notification | Response


def target_of(method: str, params: dict[str, Any]) -> str:
    """What `params` of `method` names, by `methods.TARGET_MEMBER`; empty where that is nothing or no string."""
    member = TARGET_MEMBER.get(method)
    target = params.get(member) if member else None
    return target if isinstance(target, str) else ""


def claimed_version(message: Message) -> str | None:
    """The protocol version in `_meta`, which only agents of 2026-07-28 and later send; None without one."""
    if isinstance(message, Response):
        return None
    meta = message.params.get("_meta")
    version = meta.get(PROTOCOL_VERSION_KEY) if isinstance(meta, dict) else None
    return version if isinstance(version, str) else None


def claimed_client(message: Message) -> str:
    """Name and version of the agent's program, as it says of itself; empty where it says nothing.

    A modern agent says so in `_meta` of each request, a legacy one when it initializes. Not to be trusted.
    """
    if isinstance(message, Response):
        return ""
    meta = message.params.get("_meta")
    info = message.params.get("clientInfo") if message.method == "initialize" else None
    if isinstance(meta, dict):
        info = meta.get(CLIENT_INFO_KEY, info)
    if not isinstance(info, dict):
        return ""
    parts = (info.get("name"), info.get("version"))
    return " ".join(part for part in parts if isinstance(part, str) and part)
