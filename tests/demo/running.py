"""A demo server on a free loopback port, and the official client connected to it."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from gateway.demo.server import address, build_app, listen, make_server

MODES = ("auto", "legacy")
"""How the client connects: `auto` ends up at 2026-07-28, `legacy` does the handshake and has a session."""


@contextmanager
def running_demo(**options: Any) -> Iterator[str]:
    """Serve `build_app(**options)` in a thread; the URL of its MCP endpoint.

    The socket listens from the start: a client that comes early waits in its queue.
    """
    listener = listen("127.0.0.1", 0)
    server = make_server(build_app(**options))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield address(listener)
    finally:
        server.should_exit = True
        thread.join(timeout=10)


@asynccontextmanager
async def connected(url: str, mode: str) -> AsyncIterator[Client]:
    """The official client, connected to the URL."""
    async with (
        httpx2.AsyncClient(timeout=10) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def received_calls(url: str) -> dict[str, int]:
    """The server's own count of the calls that reached it."""
    async with httpx2.AsyncClient() as http:
        answer = await http.get(url.replace("/mcp", "/debug/calls"))
    counts: dict[str, int] = answer.raise_for_status().json()
    return counts


def texts(result: Any) -> list[str]:
    """The text blocks of a tool result."""
    return [block.text for block in result.content]
