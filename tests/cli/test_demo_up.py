"""`gateway demo up`: a newcomer's first command."""

import json
from pathlib import Path

from gateway.cli import demo_up
from tests.support.processes import CommandProcess


async def test_it_prints_what_a_newcomer_needs_and_keeps_the_tokens(tmp_path: Path):
    """URL, tokens and a client configuration that stays valid over a restart; the files are private."""
    seen = []
    for _ in range(2):
        up = CommandProcess("demo", "up", "--free-ports", "--directory", str(tmp_path), ready="make demo")
        await up.start()
        assert await up.stop() == 0
        assert "/mcp" in up.output
        assert "grant cancel-only" in up.output
        seen.append(json.loads(demo_up.client_config_path(tmp_path).read_text())["mcpServers"])
    first, second = seen
    assert first.keys() == {"binassist-cancel-only", "binassist-analyst"}
    assert [entry["headers"] for entry in first.values()] == [entry["headers"] for entry in second.values()]
    for path in (demo_up.client_config_path(tmp_path), demo_up.config_path(tmp_path)):
        assert path.stat().st_mode & 0o777 == 0o600
    assert "gw_" not in demo_up.config_path(tmp_path).read_text()
