"""`gateway scan`: from a live server to a policy that the gateway takes."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.catalog import binassist
from gateway.cli.main import main
from gateway.documents import format_of, read_document
from gateway.policy.load import load_policy
from tests.support.upstream import ScriptedUpstream, rpc_result

Scan = Callable[..., Awaitable[int]]


@pytest.fixture
async def server() -> AsyncIterator[ScriptedUpstream]:
    """A server that lists `tools` on one page."""
    started = ScriptedUpstream()

    async def script(upstream: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if message and message.get("method") == "tools/list":
            return rpc_result(message, {"tools": upstream.tools})
        return upstream.default_answer(message)

    started.script = script
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
def scan(server: ScriptedUpstream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scan:
    """Runs `gateway scan` on the server, in a folder of its own; the exit code."""
    monkeypatch.chdir(tmp_path)

    async def run(*arguments: str) -> int:
        return await asyncio.to_thread(main, ["scan", "--upstream", server.url, *arguments])

    return run


def text_of(name: str) -> str:
    """What is in a file."""
    return Path(name).read_text()


def read(name: str) -> Any:
    """The policy in a file, which the gateway must take; nobody else may write there."""
    assert stat.S_IMODE(Path(name).stat().st_mode) == 0o644
    document = read_document(text_of(name), name, format_of(name))
    load_policy(document)
    return document.value


@pytest.mark.parametrize("name", ["policy.json", "policy.yaml"])
async def test_a_policy_is_written(scan: Scan, name: str, capsys: pytest.CaptureFixture[str]):
    """The file is a policy for the server's own tools, by the style that is asked for."""
    assert await scan("-o", name) == 0
    made = read(name)
    assert made["default"] == "deny"
    assert made["tools"] == {
        "cancel_task": {
            "limits": [{"counter": "cancel_task_rate", "window": "minute", "max": 10, "scope": "grant"}],
        },
        "list_tasks": {},
        "get_code": {},
    }
    assert "3 tools (2 Read, 1 Execute)" in made["description"]
    assert f"wrote {name}: 3 tools (2 Read, 1 Execute), style balanced" in capsys.readouterr().out


@pytest.mark.parametrize("style", ["strict", "balanced", "watch"])
async def test_the_44_tools_get_a_policy_in_every_style(scan: Scan, server: ScriptedUpstream, style: str):
    """What is written for the real server's tools names each of them."""
    server.tools = list(binassist.TOOLS)
    assert await scan("-o", "policy.yaml", "--style", style) == 0
    made = read("policy.yaml")
    assert list(made["tools"]) == [entry["name"] for entry in binassist.TOOLS]
    assert made["default"] == ("allow" if style == "watch" else "deny")


async def test_a_file_is_not_overwritten(scan: Scan, capsys: pytest.CaptureFixture[str]):
    """What is there stays, unless --force says otherwise."""
    assert await scan("-o", "policy.json") == 0
    before = text_of("policy.json")
    assert await scan("-o", "policy.json") == 1
    assert "is there already; choose another name, or replace it with --force" in capsys.readouterr().err
    assert text_of("policy.json") == before
    assert await scan("-o", "policy.json", "--force", "--style", "watch") == 0
    assert read("policy.json")["default"] == "allow"


async def test_without_a_file_the_policy_is_printed(scan: Scan, capsys: pytest.CaptureFixture[str]):
    """As YAML, with a comment on every tool, and nothing else on stdout."""
    assert await scan() == 0
    text = capsys.readouterr().out
    load_policy(read_document(text, "stdout", "yaml"))
    assert '  # Execute, High: "cancel" in its name; "task" in its name.' in text.splitlines()


async def test_json_tells_everything(scan: Scan, server: ScriptedUpstream, capsys: pytest.CaptureFixture[str]):
    """Programs get the classes with their evidence and the policy."""
    assert await scan("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["server"] == server.url
    assert (told["tools"][0]["tool"], told["tools"][0]["class"]) == ("cancel_task", "Execute")
    assert set(told["policy"]["tools"]) == {"cancel_task", "list_tasks", "get_code"}


async def test_headers_are_sent(scan: Scan, server: ScriptedUpstream):
    """A server that wants a credential gets it with every request."""
    assert await scan("--header", "Authorization: Bearer x", "--header", "X-Team: a") == 0
    sent = {(received.headers["authorization"], received.headers["x-team"]) for received in server.received}
    assert sent == {("Bearer x", "a")}


async def test_a_hostile_list_does_no_harm(scan: Scan, server: ScriptedUpstream, capsys: pytest.CaptureFixture[str]):
    """Names that stand for others, end lines or move the cursor get no rule, and are shown escaped."""
    server.tools = [{"name": name} for name in ("*", "a\n\x1b[2Jb", "get_it")]
    assert await scan("-o", "policy.yaml") == 0
    assert list(read("policy.yaml")["tools"]) == ["get_it"]
    out = capsys.readouterr().out
    assert "a\\u{a}\\u{1b}[2Jb" in out
    assert "\x1b" not in out + text_of("policy.yaml")
    assert "2 of them cannot be named by a rule and are left out" in read("policy.yaml")["description"]


async def test_a_server_without_tools(scan: Scan, server: ScriptedUpstream, capsys: pytest.CaptureFixture[str]):
    """An empty list makes a policy that denies everything."""
    server.tools = []
    assert await scan("-o", "policy.yaml") == 0
    assert read("policy.yaml")["tools"] == {}
    assert "The server lists no tools." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-o", "policy.toml"], "a policy is JSON or YAML"),
        (["-o", "policy.txt"], "the name must end in"),
        (["-o", "missing/policy.json"], "cannot be written: No such file or directory"),
        (["--header", "no colon"], "/servers/upstream/headers/no colon: not the name of a header"),
        (["--header", "Host: x"], "the gateway sets this header itself"),
        (["--upstream", "ftp://x"], "command line: /servers/upstream/url: "),
        (["--upstream", "http://127.0.0.1:9/mcp"], "the server cannot be reached"),
    ],
)
async def test_what_cannot_be_done_is_said(
    scan: Scan, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
):
    """Each mistake ends with exit code 1 and a sentence."""
    assert await scan(*arguments) == 1
    assert said in capsys.readouterr().err
