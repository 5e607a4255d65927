"""The configuration changes while the gateway runs: policies, counters, grants, servers, addresses; and bad files."""

import asyncio
import copy
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from gateway import reload
from gateway.proxy.http_upstream import HttpUpstream
from gateway.proxy.relay import Relay
from tests.functional.conftest import StartGateway
from tests.support.gateways import (
    ACCEPT,
    ALLOW_ALL,
    SEED_POLICY,
    RunningGateway,
    decision_of,
    edit_config,
    is_allowed,
    tool_call,
    write_config,
)
from tests.support.processes import GatewayProcess
from tests.support.upstream import ScriptedUpstream
from tests.support.waiting import eventually

Document = dict[str, Any]
RULE = "/tools/cancel_task/limits/cancel_task_rate"


def limited(maximum: int, **more: Any) -> Document:
    """The seed's policy with another `max`, and whatever else its limit shall say."""
    policy = copy.deepcopy(SEED_POLICY)
    policy["tools"]["cancel_task"]["limits"][0] |= {"max": maximum, **more}
    return policy


def setting(*path: Any) -> Callable[[Document], None]:
    """An edit: the last of `path` is put where the others lead to."""
    *way, name, value = path

    def edit(document: Document) -> None:
        for step in way:
            document = document[step]
        document[name] = value

    return edit


async def passing(gateway: RunningGateway, calls: int, grant: str = "seed") -> int:
    """How many of so many calls pass."""
    return sum([is_allowed(await gateway.call(grant=grant)) for _ in range(calls)])


async def readiness(gateway: RunningGateway) -> Any:
    """What `/readyz` says."""
    async with gateway.client.get(f"{gateway.admin_url}/readyz") as response:
        return response.status, await response.json()


async def reload_total(gateway: RunningGateway, result: str) -> float:
    """How many reloads there were with this result."""
    async with gateway.client.get(f"{gateway.admin_url}/metrics") as response:
        lines = (await response.text()).splitlines()
    name = f'mcp_gateway_config_reloads_total{{result="{result}"}} '
    return sum(float(line.removeprefix(name)) for line in lines if line.startswith(name))


async def test_counters_survive_an_edit_of_the_policy(gateway: RunningGateway):
    """Seven of ten are spent: with a `max` of eight one is left, of five none, and of twelve again five."""
    assert await passing(gateway, 7) == 7
    for maximum, left in ((8, 1), (5, 0), (12, 4)):
        assert await gateway.reload(setting("policies", "seed", limited(maximum)))
        assert await passing(gateway, 6) == left
    assert await passing(gateway, 11, "other") == 10
    gateway.clock.advance(seconds=60)
    assert await passing(gateway, 13) == 12


async def test_counters_survive_what_does_not_concern_them(gateway: RunningGateway):
    """A new expiry, another rule, a new token: the grant has spent what it has spent."""
    assert await passing(gateway, 7) == 7

    def edit(document: Document) -> None:
        document["grants"][0]["expires"] = "2099-01-01T00:00:00Z"
        document["policies"]["seed"]["tools"]["list_tasks"] = {}
        document["grants"][0]["token_sha256"] = document["grants"].pop(3)["token_sha256"]

    assert await gateway.reload(edit)
    assert await passing(gateway, 5, "bare") == 3
    assert (await gateway.post(tool_call("cancel_task")))[0] == 401


async def test_each_call_says_which_policy_judged_it(gateway: RunningGateway):
    """The record of a reload names the revisions that the decisions after it have, and only those after it."""
    await gateway.call()
    assert await gateway.reload(lambda document: document["policies"].update(seed=limited(3)))
    await gateway.call()
    before, applied, after = [record for record in gateway.records() if record["type"] != "outcome"]
    assert (applied["type"], applied["cause"], applied["result"]) == ("reload", "signal", "applied")
    assert after["revision"] == applied["policies"]["seed"] != before["revision"]
    assert before["revision"] == applied["policies"]["other"]


async def test_a_call_whose_body_is_late_is_judged_by_the_newer_policy(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """What is in force when the message is there decides, not what was when its headers were."""
    host, port = gateway.gateway.url.removeprefix("http://").split(":")
    body = orjson.dumps(tool_call("cancel_task"))

    async def answer_after(edit: Any) -> bytes:
        reader, writer = await asyncio.open_connection(host, int(port))
        fields = gateway.headers(Content_Length=str(len(body)), Expect="100-continue", Connection="close")
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"POST /mcp HTTP/1.1\r\nHost: localhost\r\n{head}\r\n".encode())
        # The token was found good.
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")
        assert await gateway.reload(edit)
        writer.write(body)
        answer = await reader.read()
        writer.close()
        return answer

    nothing = {"version": "1", "default": "deny", "tools": {}}
    assert b"(default deny)" in await answer_after(lambda document: document["policies"].update(seed=nothing))
    assert b" 401 " in await answer_after(lambda document: document["grants"].pop(0))
    assert upstream.received == []


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda document: document.update(grants="none"), "/grants: "),
        (lambda document: document["policies"]["other"].update(default="maybe"), "/policies/other/default: "),
        (lambda document: document["policies"].update(x={"file": "x.json"}), "x.json: does not exist"),
        (lambda document: document.update(listen="127.0.0.1:1"), "/listen: cannot change while the gateway runs"),
        (lambda document: document["admin"].update(listen="127.0.0.1:1"), "/admin/listen: cannot change"),
        (lambda document: document.update(state_dir="elsewhere"), "/state_dir: cannot change"),
    ],
    ids=["shape", "policy", "missing file", "listen", "admin", "state_dir"],
)
async def test_a_bad_configuration_changes_nothing(gateway: RunningGateway, edit: Any, says: str):
    """Nothing of it is applied; it is recorded, counted and shown, the gateway stays ready, and the next is taken."""

    def bad(document: Document) -> None:
        document["policies"]["seed"] = limited(1)
        edit(document)

    original = gateway.config.source.read_text()
    assert not await gateway.reload(bad)
    assert await passing(gateway, 11) == 10
    record = next(record for record in gateway.records() if record["type"] == "reload")
    assert (record["result"], len(record["problems"])) == ("refused", 1)
    assert says in record["problems"][0]
    status, body = await readiness(gateway)
    assert (status, body["config"]["problems"], body["config"]["refused"]) == (200, 1, record["problems"][0])
    assert await reload_total(gateway, "refused") == 1

    assert await gateway.reload(lambda document: document.update(json.loads(original)))
    assert "refused" not in (await readiness(gateway))[1]["config"]
    assert await reload_total(gateway, "applied") == 1


async def test_grants_come_and_go(gateway: RunningGateway):
    """A new grant works at once; one that is removed gets 401; the record names who lost it."""

    def edit(document: Document) -> None:
        document["grants"][1] |= {"label": "new", "policy": "open"}

    assert await gateway.reload(edit)
    assert await passing(gateway, 12, "other") == 12
    assert gateway.records()[0]["revoked"] == ["other"]
    assert await gateway.reload(lambda document: document["grants"].pop(1))
    assert (await gateway.post(tool_call("cancel_task"), "other"))[0] == 401
    assert await passing(gateway, 1) == 1


def has_closed(relay: Relay) -> bool:
    """Whether every connection of this way to a server is closed."""
    assert isinstance(relay.upstream, HttpUpstream)
    return all(pool.is_closed for pool in relay.upstream._pools.values())


async def test_servers_change_under_their_calls(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A call under way ends where it began, on the old credential; the next one goes by the new settings."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        if request.headers["X-Api-Key"] == "ours":
            await server.released.wait()
        return server.default_answer(message)

    upstream.script = script
    old = gateway.gateway.relay("binassist")
    waiting = asyncio.ensure_future(gateway.call())
    await eventually(lambda: upstream.received)
    new_key = {"X-Api-Key": "newer"}
    assert await gateway.reload(lambda document: document["servers"]["binassist"].update(headers=new_key))
    assert is_allowed(await gateway.call(id=2))
    assert upstream.received[-1].headers["x-api-key"] == "newer"
    assert not has_closed(old)
    upstream.released.set()
    assert is_allowed(await waiting)
    await eventually(lambda: has_closed(old))


async def test_unchanged_servers_keep_their_connections(gateway: RunningGateway, upstream: ScriptedUpstream):
    """A server is left alone while others come and go; the short path is there while it is the only one."""
    kept = gateway.gateway.relay("binassist")
    assert await gateway.reload(lambda document: document["servers"].update(second={"url": upstream.url}))
    assert gateway.gateway.relay("binassist") is kept
    assert (await gateway.post(tool_call("cancel_task")))[0] == 404
    assert set((await readiness(gateway))[1]["checks"]) == {"server binassist", "server second", "audit", "accepting"}
    second = gateway.gateway.relay("second")
    assert await gateway.reload(lambda document: document["servers"].pop("second"))
    assert is_allowed(await gateway.call())
    await eventually(lambda: has_closed(second))


async def test_allowed_hosts_change_on_both_listeners(gateway: RunningGateway):
    """A name that is added is good at once, and one that is removed no longer."""
    statuses = []
    for hosts in (["gate.example"], []):
        assert await gateway.reload(setting("allowed_hosts", hosts))
        statuses.append((await gateway.post(tool_call("cancel_task"), Host="gate.example"))[0])
        async with gateway.client.get(f"{gateway.admin_url}/healthz", headers={"Host": "gate.example"}) as response:
            statuses.append(response.status)
    assert statuses == [200, 200, 421, 421]


def write_policy_file(path: Path, policy: Document) -> Path:
    """A policy in a file of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(policy))
    path.chmod(0o600)
    return path


async def test_changes_of_every_kind_are_noticed(start_gateway: StartGateway, tmp_path: Path):
    """Writing into a file, renaming another one over it, a swap of `..data` as Kubernetes does it: nobody need ask."""
    first = write_policy_file(tmp_path / "v1" / "seed.json", limited(10))
    (tmp_path / "..data").symlink_to("v1")
    gateway = await start_gateway({"seed": {"file": "..data/seed.json"}})
    assert await passing(gateway, 7) == 7

    first.write_text(json.dumps(limited(8)))
    await eventually(lambda: applied(gateway, 1))
    assert await passing(gateway, 3) == 1

    write_policy_file(tmp_path / "v1" / "draft.json", limited(9)).rename(first)
    await eventually(lambda: applied(gateway, 2))
    assert await passing(gateway, 3) == 1

    write_policy_file(tmp_path / "v2" / "seed.json", limited(10))
    (tmp_path / "..data_tmp").symlink_to("v2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    await eventually(lambda: applied(gateway, 3))
    assert await passing(gateway, 3) == 1

    edit_config(gateway.config.source, lambda document: document["policies"].update(seed=limited(11)))
    await eventually(lambda: applied(gateway, 4))
    assert await passing(gateway, 3) == 1
    assert [record["cause"] for record in gateway.records() if record["type"] == "reload"] == ["change"] * 4


def applied(gateway: RunningGateway, count: int) -> bool:
    """Whether so many reloads were applied."""
    return sum(record["type"] == "reload" and record["result"] == "applied" for record in gateway.records()) >= count


async def test_a_mended_file_is_noticed(start_gateway: StartGateway, tmp_path: Path):
    """A policy that the configuration names before it is there, or before it is whole, is taken up once it is."""
    gateway = await start_gateway({"seed": SEED_POLICY})
    missing = {"seed": {"file": "later.json"}}
    assert not await gateway.reload(lambda document: document["policies"].update(missing))
    later = write_policy_file(tmp_path / "later.json", limited(2))
    later.chmod(0o666)
    await eventually(lambda: sum(record["type"] == "reload" for record in gateway.records()) >= 2)
    later.chmod(0o600)
    await eventually(lambda: applied(gateway, 1))
    assert await passing(gateway, 3) == 2


async def test_a_defect_in_reloading_changes_nothing(
    gateway: RunningGateway, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """An exception of ours is a refusal: logged, counted, and the next reload works."""
    with monkeypatch.context() as patched:
        patched.setattr(reload, "load_config", lambda _: 1 / 0)
        assert not await gateway.reload()
    assert "ZeroDivisionError" in caplog.text
    assert await passing(gateway, 11) == 10
    assert await gateway.reload()


async def test_sighup_reloads_at_once(upstream: ScriptedUpstream, tmp_path: Path):
    """A process takes up its new configuration, says so in the log, and goes on."""
    config = write_config(tmp_path, upstream.url, {"seed": SEED_POLICY, "open": ALLOW_ALL})
    headers = {"Authorization": "Bearer token-open", "Accept": ACCEPT}
    async with GatewayProcess(config) as process, aiohttp.ClientSession(headers=headers) as client:
        edit_config(config, lambda document: document["grants"].pop(1))
        os.kill(process.pid, signal.SIGHUP)
        await process.says("configuration reloaded: revision [0-9a-f]{12}, 1 grants revoked")
        async with client.post(process.url, json=tool_call("cancel_task")) as response:
            assert response.status == 401
        edit_config(config, lambda document: document.update(listen="127.0.0.1:1"))
        os.kill(process.pid, signal.SIGHUP)
        await process.says("ERROR gateway.reload: configuration not reloaded: .*: /listen: cannot change")
        assert await process.stop() == 0


async def test_the_answer_to_a_list_shows_what_is_allowed_when_it_passes(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """A list that was asked for before a reload is filtered by the policy after it; a revoked grant sees nothing."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return server.default_answer(message)

    upstream.script = script
    asking = asyncio.ensure_future(gateway.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, "open"))
    await eventually(lambda: upstream.received)
    assert await gateway.reload(lambda document: document["policies"].update(open=SEED_POLICY))
    upstream.released.set()
    assert [tool["name"] for tool in (await asking)[1]["result"]["tools"]] == ["cancel_task"]

    upstream.released.clear()
    asking = asyncio.ensure_future(gateway.post({"jsonrpc": "2.0", "id": 2, "method": "tools/list"}, "open"))
    await eventually(lambda: len(upstream.received) == 2)
    assert await gateway.reload(lambda document: document["grants"].pop(2))
    upstream.released.set()
    assert (await asking)[1]["result"]["tools"] == []


async def test_a_call_under_way_keeps_its_answer(gateway: RunningGateway, upstream: ScriptedUpstream):
    """What was allowed was allowed: revoking the grant meanwhile takes no answer away."""

    async def script(server: ScriptedUpstream, request: web.Request, message: Any) -> web.StreamResponse:
        await server.released.wait()
        return server.default_answer(message)

    upstream.script = script
    calling = asyncio.ensure_future(gateway.call())
    await eventually(lambda: upstream.received)
    assert await gateway.reload(lambda document: document["grants"].pop(0))
    upstream.released.set()
    assert is_allowed(await calling)


async def test_a_late_refusal_gives_back_to_the_counter_it_was_taken_from(
    gateway: RunningGateway, upstream: ScriptedUpstream
):
    """A call that fails after its counter was edited never gives the edited one more than there is."""
    await upstream.stop()
    assert decision_of(await gateway.call())["rule"] == "(upstream down)"
    await upstream.start(upstream.port)
    assert await gateway.reload(lambda document: document["policies"].update(seed=limited(9)))
    answers = [await gateway.call() for _ in range(10)]
    assert sum(map(is_allowed, answers)) == 9
    assert decision_of(answers[-1])["rule"] == RULE
