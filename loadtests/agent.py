"""What the agents of all scenarios do in the same way: speak MCP, read decisions, keep an account. For locust files.

Importing locust replaces the standard library's sockets: nothing but locust files imports this.
"""

import collections
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import orjson
from locust import FastHttpUser, events

from gateway.clock import SystemClock
from loadtests.scenarios import RUNAWAY

_ACCEPT: Final = "application/json, text/event-stream"
_MODERN: Final = "2026-07-28"
_LEGACY: Final = "2025-11-25"
_META: Final = "io.modelcontextprotocol/"
_CLIENT: Final = {"name": "load", "version": "1"}

answered = collections.defaultdict[str, collections.Counter[str]](collections.Counter)
"""Calls by tool and grant. One that is cut off at the end of the run is none."""
approved = collections.Counter[str]()
"""Approvals by grant."""
faults = collections.Counter[str]()
"""What should not have happened."""

_clock = SystemClock()


def now_ms() -> float:
    """Milliseconds that only move forward."""
    return _clock.monotonic_ns() / 1e6


class LoadAgent(FastHttpUser):
    """An agent with one grant, which it takes in turn. It opens a session unless it is modern."""

    abstract = True
    is_modern: ClassVar[bool] = False
    network_timeout = 30.0
    connection_timeout = 10.0
    _grants: ClassVar[dict[str, str]] = {}
    _turn: ClassVar[Iterator[str] | None] = None

    def on_start(self) -> None:
        """Take a grant and begin as a client library does."""
        self.grant, token = self.take_grant()
        self._ids = itertools.count(1)
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": _ACCEPT,
            "Content-Type": "application/json",
            "MCP-Protocol-Version": _MODERN if self.is_modern else _LEGACY,
        }
        if self.is_modern:
            self.ask("server/discover")
        else:
            hello = {"protocolVersion": _LEGACY, "capabilities": {}, "clientInfo": _CLIENT}
            self.ask("initialize", hello)
            note = orjson.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"})
            self.client.post("/mcp", data=note.decode(), headers=self._headers, name="notifications/initialized")
        tools = self.ask("tools/list").get("result", {}).get("tools", [])
        if not tools:
            faults["an agent saw no tools"] += 1

    def take_grant(self) -> tuple[str, str]:
        """Label and token of the next grant; with more users than grants they share."""
        if LoadAgent._turn is None:
            LoadAgent._turn = itertools.cycle(label for label in self._known_grants() if label != RUNAWAY)
        return self.named_grant(next(LoadAgent._turn))

    def named_grant(self, label: str) -> tuple[str, str]:
        """The label again, and its token."""
        return label, self._known_grants()[label]

    def _known_grants(self) -> dict[str, str]:
        if not LoadAgent._grants:
            LoadAgent._grants = orjson.loads(Path(self.environment.parsed_options.grants).read_bytes())
        return LoadAgent._grants

    def call(self, tool: str, name: str = "call", **arguments: Any) -> dict[str, Any]:
        """One call. The decision that refused it, `{"verdict": "allow"}` for an answer of the server's.

        Allowed calls are counted by locust under `name`, others under name and verdict, so that how fast refusals are
        does not colour what others waited.
        """
        params = {"name": tool, "arguments": {"agent": self.grant, **arguments}}
        decision = self._exchange("tools/call", params, name)[1]
        answered[tool][self.grant] += 1
        if decision["verdict"] == "error":
            faults["a call failed at the server or in the gateway"] += 1
        return decision

    def ask(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Another request; the answer, empty where there was none."""
        return self._exchange(method, params or {}, method)[0]

    def _exchange(self, method: str, params: dict[str, Any], name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        id = next(self._ids)
        message = {"jsonrpc": "2.0", "id": id, "method": method, "params": params}
        headers = self._headers
        meta: dict[str, Any] = {"progressToken": id} if method == "tools/call" else {}
        if self.is_modern:
            meta |= {
                f"{_META}protocolVersion": _MODERN,
                f"{_META}clientCapabilities": {},
                f"{_META}clientInfo": _CLIENT,
            }
            headers = headers | {"Mcp-Method": method} | ({"Mcp-Name": params["name"]} if "name" in params else {})
        if meta:
            params["_meta"] = meta
        with self.client.post(
            "/mcp", data=orjson.dumps(message).decode(), headers=headers, name=name, catch_response=True
        ) as response:
            answer = read_answer(response.content or b"", id)
            decision = decision_of(answer)
            if response.status_code != 200 or decision is None:
                response.failure(f"status {response.status_code}: {(response.content or b'')[:200]!r}")
                return {}, {"verdict": "none"}
            if decision["verdict"] != "allow":
                response.request_meta["name"] = f"{name} ({decision['verdict']})"
            if method == "initialize":
                self._headers["Mcp-Session-Id"] = response.headers["mcp-session-id"]
            response.success()
        return answer, decision


def read_answer(body: bytes, id: int) -> dict[str, Any]:
    """The answer to this request, sent as JSON or as events; empty where it is missing."""
    if body.startswith(b"{"):
        answer: dict[str, Any] = orjson.loads(body)
        return answer if answer.get("id") == id else {}
    heard = [orjson.loads(line[5:]) for line in body.splitlines() if line.startswith(b"data:") and line[5:].strip()]
    told = [message["params"]["progress"] for message in heard if "method" in message]
    if told != sorted(told):
        faults["events came out of order"] += 1
    return next(({**each, "events": len(told)} for each in heard if each.get("id") == id), {})


def decision_of(answer: dict[str, Any]) -> dict[str, Any] | None:
    """What was decided; None for what is no answer, or one that says neither yes nor why not."""
    if "result" not in answer:
        return None
    result = answer["result"]
    decision: dict[str, Any] | None = (result.get("_meta") or {}).get("gateway.policy/decision")
    if decision is None and not result.get("isError"):
        return {"verdict": "allow", "events": answer.get("events", 0)}
    return decision


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _options(parser: Any) -> None:
    parser.add_argument("--grants", required=True, help="a JSON file with the token of each grant, by its label")
    parser.add_argument("--account", help="where to write what the agents did")
    parser.add_argument("--admin-url", help="the second listener, for approvals")
    parser.add_argument("--admin-token", help="a token for it")


@events.quitting.add_listener  # type: ignore[untyped-decorator]
def _write_account(environment: Any, **_: Any) -> None:
    """What `verdict.Account` reads."""
    path = environment.parsed_options.account
    if path is None:
        return
    timings = [
        {
            "name": entry.name,
            "count": entry.num_requests,
            "failures": entry.num_failures,
            "p50_ms": entry.get_response_time_percentile(0.5),
            "p99_ms": entry.get_response_time_percentile(0.99),
        }
        for entry in environment.stats.entries.values()
    ]
    account = {"answered": answered, "approved": approved, "faults": faults, "timings": timings}
    Path(path).write_bytes(orjson.dumps(account))
