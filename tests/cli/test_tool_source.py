"""Where a command takes a server's tools from."""

import argparse
import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.cli.tool_source import Tools, add_arguments, read_tools, schemas_of, tools_from
from gateway.errors import DocumentError, GatewayError
from tests.support.upstream import ScriptedUpstream, rpc_result

TOOL = {"name": "t", "inputSchema": {"type": "object", "required": ["a"]}}


def asked(*arguments: str) -> Tools | None:
    """What a command with these arguments gets."""
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return tools_from(parser.parse_args(arguments))


def test_without_a_source_there_are_none():
    """Nothing is guessed."""
    assert asked() is None


def test_the_catalogue_knows_the_tools_of_binassist():
    """All 44 of them."""
    tools = asked("--tools", "binassist")
    assert tools is not None
    assert len(tools) == 44


@pytest.mark.parametrize("value", [[TOOL], {"tools": [TOOL]}, {"jsonrpc": "2.0", "id": 1, "result": {"tools": [TOOL]}}])
def test_a_file_may_be_the_answer_of_a_server_or_a_part_of_it(tmp_path: Path, value: Any):
    """However it was saved."""
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(value))
    assert asked("--tools", str(path)) == [TOOL]


async def test_a_live_server_is_asked():
    """Its tools are listed; none is called."""
    server = ScriptedUpstream()

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message and message.get("method") == "tools/list":
            return rpc_result(message, {"tools": [TOOL]})
        return upstream.default_answer(message)

    server.script = script
    await server.start()
    try:
        assert await asyncio.to_thread(asked, "--upstream", server.url) == [TOOL]
    finally:
        await server.stop()


def test_an_upstream_is_checked_as_in_a_configuration():
    """A URL that is none is refused before anything is sent."""
    with pytest.raises(GatewayError, match="does not begin with http"):
        asked("--upstream", "ftp://127.0.0.1/")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"tools": {}}, "/tools: holds no list of tools"),
        ([{"name": 1}], "/0: a tool is a mapping with a `name`"),
        (["t"], "/0: a tool is a mapping"),
    ],
)
def test_a_file_without_tools_is_refused(tmp_path: Path, value: Any, message: str):
    """With the place of what is wrong."""
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(value))
    with pytest.raises(DocumentError, match=message):
        read_tools(path)


def test_schemas_that_cannot_be_used_are_not_known():
    """As for a gateway; the others are."""
    schemas = schemas_of([TOOL, {"name": "bad", "inputSchema": {"type": "objekt"}}, {"name": "none"}])
    known = schemas.schema("t")
    assert known is not None
    assert not known.required.is_valid({})
    assert schemas.schema("bad") is schemas.schema("none") is schemas_of(None).schema("t") is None
