"""`gateway pin`: what a server lists today is what it is held to."""

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import web

from gateway.catalog.fingerprint import fingerprint
from gateway.cli.main import main
from gateway.store.pin_file import load_pins, pin_path
from tests.support.gateways import write_config
from tests.support.upstream import ScriptedUpstream, rpc_result


@pytest.fixture
async def server():
    """A server that lists `tools` on one page."""
    started = ScriptedUpstream()

    async def script(upstream: ScriptedUpstream, request: web.Request, message) -> web.StreamResponse:
        if message and message.get("method") == "tools/list":
            return rpc_result(message, {"tools": upstream.tools})
        return upstream.default_answer(message)

    started.script = script
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
def pin(server: ScriptedUpstream, tmp_path: Path):
    """Runs `gateway pin` with a configuration that has the server; the exit code."""
    config = write_config(tmp_path, server.url, {})

    async def run(*arguments: str) -> int:
        return await asyncio.to_thread(main, ["pin", "--config", str(config), *arguments])

    return run


async def test_every_tool_is_pinned(pin, server, tmp_path, capsys):
    """The fingerprints of all definitions are recorded under the state directory."""
    assert await pin() == 0
    path = pin_path(tmp_path / "state", "binassist")
    assert load_pins(path).tools == {entry["name"]: fingerprint(entry) for entry in server.tools}
    assert capsys.readouterr().out == f"binassist: 3 tools pinned in {path}\n"
    assert {received.headers.get("x-api-key") for received in server.received} == {"ours"}


async def test_what_differs_from_before_is_said(pin, server, capsys):
    """Who pins again is told what the new pins accept."""
    assert await pin() == 0
    server.tools = [{**server.tools[0], "description": "Other."}, server.tools[1], {"name": "zap\x1b[2J"}]
    capsys.readouterr()
    assert await pin("--server", "binassist") == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "  changed: cancel_task",
        "  gone: get_code",
        "  new: zap\\u{1b}[2J",
    ]


async def test_nothing_is_recorded_of_a_server_that_cannot_be_listed(pin, server, tmp_path, capsys):
    """Two tools of one name, or no list at all: the old pins stay."""
    assert await pin() == 0
    before = load_pins(pin_path(tmp_path / "state", "binassist"))
    server.tools = [{"name": "a"}, {"name": "a", "description": "Other."}]
    assert await pin() == 1
    assert "lists two different tools called a; nothing is pinned" in capsys.readouterr().err
    await server.stop()
    assert await pin() == 1
    assert "the server cannot be reached" in capsys.readouterr().err
    assert load_pins(pin_path(tmp_path / "state", "binassist")) == before


async def test_a_server_that_is_not_configured(pin, capsys):
    """The nearest name is told."""
    assert await pin("--server", "binasist") == 1
    assert "has no server binasist; did you mean `binassist`?" in capsys.readouterr().err


async def test_a_broken_configuration_is_said(pin, tmp_path, capsys):
    """The file is read as `gateway serve` reads it."""
    (tmp_path / "gateway.json").write_text(json.dumps({"servers": {}}))
    assert await pin() == 1
    assert "/servers: names no server" in capsys.readouterr().err
