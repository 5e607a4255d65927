"""The second listener: who may ask it, and what it answers."""

from collections.abc import Awaitable, Callable

import pytest
from aiohttp.test_utils import TestClient
from prometheus_client import Counter

from gateway.addresses import Addresses
from gateway.admin.health import Probe, make_application
from gateway.series import Registry

StartHealth = Callable[..., Awaitable[TestClient]]


def probe(result: bool) -> Probe:
    """A probe that always says the same."""

    async def answer() -> bool:
        return result

    return answer


@pytest.fixture
def registry() -> Registry:
    """A registry with one metric."""
    registry = Registry()
    Counter("calls", "Calls.", registry=registry).inc()
    return registry


@pytest.fixture
def start(aiohttp_client, registry: Registry) -> StartHealth:
    """Starts the listener with probes by name."""

    async def start(**probes: bool) -> TestClient:
        made = {name: probe(result) for name, result in probes.items()}
        addresses = Addresses.of("127.0.0.1")
        return await aiohttp_client(make_application(registry, lambda: made, lambda: {"more": 1}, lambda: addresses))

    return start


async def test_metrics_are_in_the_format_of_prometheus(start: StartHealth):
    """The content type carries the version of the format, and the body the registry."""
    response = await (await start()).get("/metrics")
    assert response.status == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert "calls_total 1.0" in await response.text()


async def test_a_gateway_that_runs_is_alive_whatever_its_servers_do(start: StartHealth):
    """Liveness asks nobody else: restarting the gateway would mend no server."""
    response = await (await start(binassist=False)).get("/healthz")
    assert (response.status, await response.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize(
    ("probes", "status", "body"),
    [
        ({}, 200, {"ready": True, "checks": {}}),
        ({"a": True, "b": True}, 200, {"ready": True, "checks": {"a": "ok", "b": "ok"}}),
        ({"a": True, "b": False}, 503, {"ready": False, "checks": {"a": "ok", "b": "failing"}}),
        ({"a": False}, 503, {"ready": False, "checks": {"a": "failing"}}),
    ],
    ids=["no probe", "all ok", "one fails", "all fail"],
)
async def test_ready_is_when_every_probe_is(start: StartHealth, probes, status, body):
    """Readiness names each probe and how it stands; details are told and decide nothing."""
    response = await (await start(**probes)).get("/readyz")
    assert (response.status, await response.json()) == (status, body | {"more": 1})


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/nothing"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1.evil.example:9901"}, 421),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_a_web_page_reaches_nothing_by_rebinding(start: StartHealth, path: str, headers, status: int):
    """Host and Origin are checked on every route, known or not."""
    response = await (await start()).get(path, headers=headers)
    assert response.status == status
    assert "error" in await response.json()


async def test_nothing_invites_other_origins(start: StartHealth):
    """There are no CORS headers, not even for a page of this machine's."""
    client = await start()
    for method in ("GET", "OPTIONS"):
        response = await client.request(method, "/metrics", headers={"Origin": "http://localhost:3000"})
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]


@pytest.mark.parametrize("path", ["/", "/mcp", "/metrics/", "/METRICS"])
async def test_there_is_nothing_else(start: StartHealth, path: str):
    """Other paths are not found."""
    assert (await (await start()).get(path)).status == 404
