"""Traffic that puts a real gateway into every situation that dashboards and alerts speak of.

Three servers stand behind it: the demo server, one that does what a round tells it to, and one that is never there.
"""

import asyncio
import contextlib
import hashlib
import json
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web

from gateway.audit.segment import OPEN_NAME
from tests.grafana.prometheus import CheckError
from tests.support.gateways import ACCEPT, decision_of, tool_call
from tests.support.processes import DemoProcess, GatewayProcess
from tests.support.upstream import ScriptedUpstream, open_stream, rpc_result

ROUNDS: Final = 12
_PAUSE_S: Final = 1.5
# What no server listens on: the discard port.
_NOWHERE: Final = "http://127.0.0.1:9/mcp"

_ANALYST: Final[dict[str, Any]] = {
    "version": "1",
    "default": "deny",
    "hide": ["load_binary"],
    "tools": {
        "list_binaries": {},
        "get_binary_info": {"limits": [{"counter": "reads", "window": "minute", "max": 1000, "scope": "grant"}]},
        "get_strings": {
            "deny_if": [
                {"mode": "shadow", "conditions": [{"path": "args.filename", "op": "eq", "value": "crackme.bin"}]}
            ],
        },
        "cancel_task": {"limits": [{"counter": "cancels", "window": "minute", "max": 10, "scope": "grant"}]},
        "comments": {"deny_if": [{"conditions": [{"path": "args.action", "op": "eq", "value": "remove"}]}]},
        "rename_symbol": {"action": "require_approval", "approval": {"expires": "10m", "hold": "0s"}},
        "open_binary": {"action": "require_approval", "approval": {"expires": "2s", "hold": "0s"}},
    },
}
_LAB: Final[dict[str, Any]] = {"version": "1", "default": "allow", "tools": {}}

_GRANTS: Final = {"analyst": ("binassist", "analyst"), "lab": ("lab", "lab"), "lost": ("gone", "lab")}


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _config(directory: Path, servers: dict[str, Any]) -> Path:
    path = directory / "gateway.json"
    document = {
        "listen": "127.0.0.1:0",
        "admin": {"listen": "127.0.0.1:0", "tokens": [{"label": "admin", "token_sha256": _digest("token-admin")}]},
        "state_dir": "state",
        "servers": servers,
        "policies": {"analyst": _ANALYST, "lab": _LAB},
        "grants": [
            {"label": label, "server": server, "policy": policy, "token_sha256": _digest(f"token-{label}")}
            for label, (server, policy) in _GRANTS.items()
        ],
    }
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


async def _misbehave(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
    """Hang, break off, listen for ever, or answer, by the name of the tool."""
    if message is None and request.method == "GET":
        await open_stream(request)
        await asyncio.sleep(3600)
    if message and message.get("method") == "tools/list":
        return rpc_result(message, {"tools": server.tools})
    match message and message.get("params", {}).get("name"):
        case "hang":
            await asyncio.sleep(3600)
        case "break":
            assert request.transport is not None
            request.transport.abort()
        case "slow":
            await asyncio.sleep(0.3)
    return server.default_answer(message)


class Scene:
    """A running gateway with its servers, and agents that misuse it."""

    def __init__(self, process: GatewayProcess, client: aiohttp.ClientSession, config: Path, lab: ScriptedUpstream):
        self.process = process
        self._client = client
        self._config = config
        self._lab = lab
        self._base = process.admin_url
        self._url = process.url.removesuffix("/mcp").rsplit("/mcp/", 1)[0]
        self._open: list[aiohttp.ClientResponse] = []
        self._id = 0

    @property
    def target(self) -> str:
        """What Prometheus scrapes."""
        return self.process.admin_url.removeprefix("http://")

    async def play(self, rounds: int = ROUNDS) -> None:
        """Every situation, again and again, so that there are rates."""
        await self._listen()
        for number in range(rounds):
            await self._round(number)
            await asyncio.sleep(_PAUSE_S)

    async def _round(self, number: int) -> None:
        acts: list[Callable[[int], Awaitable[None]]] = [
            self._allowed,
            self._refused,
            self._approvals,
            self._failing,
            self._malformed,
            self._reloads,
        ]
        for act in acts:
            await act(number)
        await self._unrecorded()

    async def _listen(self) -> None:
        """Streams of both transports, which stay open, and the session of one."""
        url, headers = self._url, {"Authorization": "Bearer token-lab", "Accept": "text/event-stream"}
        session = {"Mcp-Session-Id": await self._session()}
        for path, more in (("/mcp/lab", session), ("/sse/lab", {})):
            self._open.append(await self._client.get(url + path, headers=headers | more))
        self._lab.tools[0] = self._lab.tools[0] | {"description": "Not what it was."}

    async def _session(self) -> str:
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "check", "version": "1"}}
        message = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        async with self._post("lab", message) as answer:
            return answer.headers["Mcp-Session-Id"]

    async def _allowed(self, number: int) -> None:
        for _ in range(3):
            await self._call("analyst", "list_binaries")
            await self._call("analyst", "get_binary_info", {"filename": "crackme.bin"})
            await self._call("lab", "slow")
        await self._call("analyst", "get_strings", {"filename": "crackme.bin"})
        async with self._post("lab", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}) as answer:
            await answer.read()

    async def _refused(self, number: int) -> None:
        await self._call("analyst", "load_binary")
        await self._call("analyst", "no_such_tool")
        await self._call("analyst", "comments", {"action": "remove", "filename": "crackme.bin", "address": "0x1000"})
        for _ in range(4):
            await self._call("analyst", "cancel_task", {"task_id": "none"})

    async def _approvals(self, number: int) -> None:
        """One waits, one is approved and runs, one is denied, one expires."""
        await self._call("analyst", "open_binary", {"path": f"/{number}"})
        if number == 0:
            await self._call("analyst", "rename_symbol", {"name": "waits"})
        for decision, name in (("approve", f"yes_{number}"), ("deny", f"no_{number}")):
            asked = decision_of(await self._call("analyst", "rename_symbol", {"name": name}))
            await self._decide(asked["approval"]["id"], decision)
            await self._call("analyst", "rename_symbol", {"name": name})

    async def _failing(self, number: int) -> None:
        for grant, tool in (("lost", "any"), ("lab", "break"), ("lab", "hang")):
            await self._call(grant, tool)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.1):
                await self._call("lab", "slow")

    async def _malformed(self, number: int) -> None:
        for token, body in (("token-lab", b"{"), ("wrong", b"{}"), ("token-lab", b'{"id":1,"id":2}')):
            headers = {"Authorization": f"Bearer {token}", "Accept": ACCEPT, "Content-Type": "application/json"}
            async with self._client.post(f"{self._url}/mcp/lab", data=body, headers=headers) as answer:
                await answer.read()

    async def _reloads(self, number: int) -> None:
        """A good change now and then, and a bad one."""
        text = self._config.read_text()
        match number % 4:
            case 0:
                self._config.write_text(text.replace('"max": 1000', '"max": 1001'))
            case 2:
                self._config.write_text("{")
                await asyncio.sleep(3)
                self._config.write_text(text)

    async def _unrecorded(self) -> None:
        """A call while the journal cannot grow: the process may write no file beyond the size that this one has."""
        pid, journal = self.process.pid, self._config.parent / "state" / "audit" / OPEN_NAME
        size = journal.stat().st_size
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))
        try:
            await self._call("lab", "get_code")
        finally:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))

    async def _call(self, grant: str, tool: str, arguments: Any = None) -> Any:
        self._id += 1
        async with self._post(grant, tool_call(tool, arguments, id=self._id)) as answer:
            return await answer.json()

    def _post(self, grant: str, message: Any) -> Any:
        headers = {"Authorization": f"Bearer token-{grant}", "Accept": ACCEPT}
        return self._client.post(f"{self._url}/mcp/{_GRANTS[grant][0]}", json=message, headers=headers)

    async def _decide(self, id: str, decision: str) -> None:
        url, headers = f"{self._base}/api/approvals/{id}/{decision}", {"Authorization": "Bearer token-admin"}
        async with self._client.post(url, json={}, headers=headers) as answer:
            if answer.status != 200:
                raise CheckError(f"the approval {id} could not be decided: {await answer.text()}")


@asynccontextmanager
async def scene(directory: Path) -> AsyncIterator[Scene]:
    """A gateway with its servers; its configuration and state are in `directory`."""
    lab = ScriptedUpstream(script=_misbehave)
    await lab.start()
    try:
        async with DemoProcess() as demo:
            servers = {
                "binassist": {"url": demo.url},
                "lab": {"url": lab.url, "timeout": "1s", "pin": "flag"},
                "gone": {"url": _NOWHERE},
            }
            config = _config(directory, servers)
            await _pin(config)
            async with GatewayProcess(config) as process, aiohttp.ClientSession() as client:
                yield Scene(process, client, config, lab)
    finally:
        await lab.stop()


async def _pin(config: Path) -> None:
    asked = [sys.executable, "-m", "gateway", "pin", "--config", str(config), "--server", "lab"]
    result = await asyncio.to_thread(subprocess.run, asked, capture_output=True, text=True, check=False)
    if result.returncode:
        raise CheckError(f"gateway pin failed: {result.stderr}")
