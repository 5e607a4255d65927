"""Building, starting and stopping the whole."""

import asyncio
from pathlib import Path

import pytest

from gateway.app import Gateway, compile_policies, require_compiled_parser
from gateway.clock import ManualClock
from gateway.config import load_config
from gateway.documents import Document, read_document
from gateway.errors import DocumentError, GatewayError
from tests.support.gateways import ALLOW_ALL, SEED_POLICY, write_config


def document(text: str, source: str) -> Document:
    """A policy document."""
    return read_document(text, source, "json")


def test_the_mistakes_of_all_policies_are_reported_together():
    """Two bad policies give the problems of both."""
    documents = {name: document('{"version": "1", "default": "maybe"}', f"{name}.json") for name in ("one", "two")}
    with pytest.raises(DocumentError) as caught:
        compile_policies(documents)
    assert {problem.place.split(".json")[0] for problem in caught.value.problems} == {"one", "two"}


async def test_an_address_that_is_taken_is_named(tmp_path: Path):
    """The error says which address cannot be had; what was opened is closed again."""
    blocker = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = blocker.sockets[0].getsockname()[1]
    path = write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": SEED_POLICY})
    path.write_text(path.read_text().replace('"listen": "127.0.0.1:0"', f'"listen": "127.0.0.1:{port}"', 1))
    gateway = Gateway(load_config(path), ManualClock())
    with pytest.raises(GatewayError, match=rf"cannot listen on 127\.0\.0\.1:{port}"):
        await gateway.start()
    await gateway.stop()
    blocker.close()
    await blocker.wait_closed()


async def test_it_starts_before_its_server_does(tmp_path: Path):
    """A server that is down does not keep the gateway from starting, and stopping leaves the state for the next."""
    config = load_config(write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": ALLOW_ALL}))
    for _ in range(2):
        gateway = Gateway(config, ManualClock())
        await gateway.start()
        assert gateway.url.startswith("http://127.0.0.1:")
        await gateway.stop()
    assert (config.state_dir / "session.key").stat().st_mode & 0o777 == 0o600


def test_aiohttps_python_parser_is_refused(monkeypatch: pytest.MonkeyPatch):
    """Without aiohttp's C parser the gateway says what to do instead of running slow and in the dark."""
    require_compiled_parser()
    parser = "gateway.app.http_parser.HttpRequestParser"
    monkeypatch.setattr(parser, __import__("aiohttp").http_parser.HttpRequestParserPy)
    with pytest.raises(GatewayError, match="GATEWAY_NO_EXTENSIONS=1"):
        require_compiled_parser()
