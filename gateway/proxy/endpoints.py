"""Where on the agents' listener each server is reached, and what is spoken there. No handler lives here."""

import enum
from collections.abc import Collection

import msgspec


class Role(enum.Enum):
    """What is spoken at a path, by the methods there are for it."""

    MCP = ("POST", "GET", "DELETE")
    """Streamable HTTP, of either era."""
    SSE_STREAM = ("GET",)
    """Where an agent of 2024-11-05 listens."""
    SSE_MESSAGES = ("POST",)
    """Where it is told to send its messages."""


class Endpoint(msgspec.Struct, frozen=True):
    """One server as agents reach it at one path."""

    server: str
    role: Role = Role.MCP


def endpoints_of(servers: Collection[str]) -> dict[str, Endpoint]:
    """Every path that there is for these servers; also without a server's name where there is only one."""
    endpoints: dict[str, Endpoint] = {}
    for name in servers:
        if len(servers) == 1:
            endpoints |= {"/mcp": Endpoint(name), "/sse": Endpoint(name, Role.SSE_STREAM)}
        endpoints[f"/mcp/{name}"] = Endpoint(name)
        endpoints[f"/sse/{name}"] = Endpoint(name, Role.SSE_STREAM)
        endpoints[f"/messages/{name}"] = Endpoint(name, Role.SSE_MESSAGES)
    return endpoints
