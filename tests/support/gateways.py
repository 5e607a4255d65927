"""The real gateway, in this process, on loopback ports of its own."""

import asyncio
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from gateway.app import Gateway
from gateway.clock import ManualClock
from gateway.config import load_config
from tests.support.journals import told
from tests.support.upstream import ScriptedUpstream

SEED_POLICY: dict[str, Any] = {
    "version": "1",
    "default": "deny",
    "tools": {
        "cancel_task": {
            "limits": [{"counter": "cancel_task_rate", "window": "minute", "max": 10, "scope": "grant"}],
        },
    },
}
ALLOW_ALL: dict[str, Any] = {"version": "1", "default": "allow", "tools": {}}

ACCEPT = "application/json, text/event-stream"


def write_config(directory: Path, upstream_url: str | None, policies: dict[str, Any], **server: Any) -> Path:
    """A config with one server and, for each policy, one grant of the same name whose token is `token-NAME`.

    The server has what `server` says, and unless `upstream_url` is None, that and a header.
    """
    path = directory / "gateway.json"
    way = {"url": upstream_url, "headers": {"X-Api-Key": "ours"}} if upstream_url is not None else {}
    document = {
        "listen": "127.0.0.1:0",
        "admin": {
            "listen": "127.0.0.1:0",
            "tokens": [{"label": "admin", "token_sha256": hashlib.sha256(b"token-admin").hexdigest()}],
        },
        "state_dir": "state",
        "servers": {"binassist": {**way, **server}},
        "policies": {name: policy for name, policy in policies.items() if policy is not None},
        "grants": [
            {
                "label": name,
                "server": "binassist",
                "token_sha256": hashlib.sha256(f"token-{name}".encode()).hexdigest(),
                **({"policy": name} if policy is not None else {}),
            }
            for name, policy in policies.items()
        ],
    }
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return path


def edit_config(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change what is written in a configuration, in one step: whoever reads it finds all of it."""
    document = json.loads(path.read_text())
    edit(document)
    draft = path.with_name("draft")
    draft.write_text(json.dumps(document))
    draft.chmod(0o600)
    draft.rename(path)


class RunningGateway:
    """A started gateway with a clock that the test moves, and a client for raw requests."""

    def __init__(self, config_path: Path) -> None:
        self.clock = ManualClock()
        self.config = load_config(config_path)
        self.gateway = Gateway(self.config, self.clock)

    async def start(self) -> None:
        """Listen, and open the client."""
        await self.gateway.start()
        self.url = f"{self.gateway.url}/mcp"
        self.admin_url = self.gateway.admin_url
        self.client = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Close the client and the gateway."""
        await self.client.close()
        await self.gateway.stop()

    def headers(self, grant: str = "seed", **more: str) -> dict[str, str]:
        """What an agent with `grant` sends; `more` with underscores for dashes."""
        base = {
            "Authorization": f"Bearer token-{grant}",
            "Accept": ACCEPT,
            "Content-Type": "application/json",
        }
        return base | {name.replace("_", "-"): value for name, value in more.items()}

    async def post(self, body: Any, grant: str = "seed", **headers: str) -> tuple[int, Any]:
        """POST one message (bytes are sent as they are). The status and the JSON body, None when there is none."""
        data = body if isinstance(body, bytes) else orjson.dumps(body)
        async with self.client.post(self.url, data=data, headers=self.headers(grant, **headers)) as response:
            raw = await response.read()
            return response.status, orjson.loads(raw) if raw else None

    async def call(self, tool: str = "cancel_task", arguments: Any = None, *, id: Any = 1, grant: str = "seed") -> Any:
        """One `tools/call` of a legacy agent; its JSON-RPC answer."""
        status, answer = await self.post(tool_call(tool, arguments, id=id), grant)
        assert status == 200, answer
        return answer

    async def api(self, method: str, path: str, **body: Any) -> tuple[int, Any]:
        """A request to the second listener, of an admin whose token is `token-admin`."""
        headers = {"Authorization": "Bearer token-admin"}
        url = f"{self.admin_url}/api/{path}"
        async with self.client.request(method, url, json=body or {}, headers=headers) as response:
            return response.status, await response.json()

    async def reload(self, edit: Callable[[dict[str, Any]], object] = lambda _: None) -> bool:
        """Edit the configuration and reload it; whether it was taken."""
        edit_config(self.config.source, edit)
        return await self.gateway.reloader.reload()

    def connections(self) -> int:
        """How many agents' connections are open."""
        return len(self.gateway.runners[-1].server.connections)

    def records(self) -> list[dict[str, Any]]:
        """What was done so far, by the audit journal."""
        return told(self.config.state_dir / "audit")


class Forwarding:
    """A gateway and a server on a loop of their own, for tests that are not coroutines."""

    def __init__(self, runner: asyncio.Runner, gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
        self._runner = runner
        self._gateway = gateway
        self._upstream = upstream

    def send(self, body: bytes) -> bytes:
        """Send `body`, which must be accepted, and return what the server received for it."""
        status, answer = self._runner.run(self._gateway.post(body, grant="open"))
        assert status == 200, answer
        return self._upstream.received[-1].body


def tool_call(tool: str, arguments: Any = None, *, id: Any = 1) -> dict[str, Any]:
    """A `tools/call` message."""
    return {
        "jsonrpc": "2.0",
        "id": id,
        "method": "tools/call",
        "params": {"name": tool, "arguments": {} if arguments is None else arguments},
    }


def modern(message: dict[str, Any], version: str = "2026-07-28") -> tuple[dict[str, Any], dict[str, str]]:
    """The message as a modern agent sends it, and the headers that mirror it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    message = message | {"params": {**message.get("params", {}), "_meta": meta}}
    headers = {"MCP_Protocol_Version": version, "Mcp_Method": message["method"]}
    if "name" in message["params"]:
        headers["Mcp_Name"] = message["params"]["name"]
    return message, headers


def is_allowed(answer: Any) -> bool:
    """Whether a `tools/call` went through to the server."""
    return "result" in answer and not answer["result"].get("isError", False)


def decision_of(answer: Any) -> dict[str, Any]:
    """The gateway's decision in a refused answer."""
    decision: dict[str, Any] = (answer.get("result", {}).get("_meta") or answer["error"]["data"])[
        "gateway.policy/decision"
    ]
    return decision


async def write_event(response: web.StreamResponse, message: Any) -> None:
    """One server-sent event."""
    await response.write(b"event: message\r\ndata: " + orjson.dumps(message) + b"\r\n\r\n")
