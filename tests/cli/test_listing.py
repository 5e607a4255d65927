"""A command lists a server's tools and leaves nothing open."""

import asyncio
from pathlib import Path
from typing import Literal

import pytest

from gateway.cli.listing import tools_of
from gateway.config import HttpServer, StdioServer
from gateway.proxy.tool_lister import ListingError
from tests.support.commands import SCRIPTED
from tests.support.sse_server import SseServer


def server(url: str, transport: Literal["streamable-http", "sse"] = "sse") -> HttpServer:
    """A server as a configuration has it."""
    return HttpServer(name="a", url=url, transport=transport, headers={}, timeout_s=5, tool_timeouts_s={})


async def test_a_server_of_any_transport_is_listed():
    """The transport is the server's own, and its stream is closed afterwards."""
    old = SseServer()
    await old.start()
    listed = await asyncio.to_thread(tools_of, server(old.url))
    assert [entry["name"] for entry in listed] == ["cancel_task", "list_tasks", "get_code"]
    old.released.set()
    await old.stop()


def test_a_server_that_is_not_there_is_said():
    """Failing to list is an error that a person can read."""
    with pytest.raises(ListingError, match="The tools of a cannot be listed"):
        tools_of(server("http://127.0.0.1:9/mcp", "streamable-http"))


def test_a_server_that_is_a_command_is_listed_and_ended():
    """Its process lives as long as the question."""
    command = StdioServer("a", SCRIPTED, {}, Path("/"), 5, {})
    assert "garbage" in [entry["name"] for entry in tools_of(command)]
