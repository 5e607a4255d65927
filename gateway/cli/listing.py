"""Lists a server's tools for a command that needs them: connects, asks, and lets go."""

import asyncio
from pathlib import Path
from typing import Any, Final

from gateway.assembly import make_upstream
from gateway.clock import SystemClock
from gateway.config import Server, build_config
from gateway.documents import Document
from gateway.proxy.tool_lister import TIMEOUT_S, list_tools
from gateway.tasks import Tasks

_SERVER: Final = "upstream"


def server_at(url: str, transport: str, headers: list[str]) -> Server:
    """A server as a configuration would have it, checked as there; each header is `NAME: VALUE`."""
    pairs = [header.partition(":") for header in headers]
    entry = {"url": url, "transport": transport, "headers": {name.strip(): value.strip() for name, _, value in pairs}}
    document = Document({"servers": {_SERVER: entry}}, "command line")
    return build_config(document, Path()).servers[_SERVER]


def tools_of(server: Server) -> list[dict[str, Any]]:
    """The entries of the server's `tools/list`. Raises `ListingError`."""
    return asyncio.run(_list(server))


async def _list(server: Server) -> list[dict[str, Any]]:
    tasks = Tasks()
    upstream = make_upstream(server, tasks, SystemClock())
    upstream.open()
    try:
        return await list_tools(upstream, timeout_s=min(server.timeout_s, TIMEOUT_S))
    finally:
        await upstream.close()
        await tasks.close()
