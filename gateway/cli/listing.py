"""Lists a server's tools for a command that needs them: connects, asks, and lets go."""

import asyncio
from typing import Any

from gateway.assembly import make_upstream
from gateway.clock import SystemClock
from gateway.config import Server
from gateway.proxy.tool_lister import TIMEOUT_S, list_tools
from gateway.tasks import Tasks


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
