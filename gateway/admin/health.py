"""What Prometheus and supervisors ask on the second listener: `/metrics`, `/healthz`, `/readyz`."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

import orjson
from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gateway.addresses import Addresses, ForeignAddressError
from gateway.series import Registry

Probe = Callable[[], Awaitable[bool]]


def make_application(
    registry: Registry,
    probes: Callable[[], Mapping[str, Probe]],
    details: Callable[[], Mapping[str, object]],
    addresses: Callable[[], Addresses],
    more: Iterable[web.RouteDef] = (),
) -> web.Application:
    """The second listener's application, with `more` routes.

    It is ready when every one of `probes` is; `details` decide nothing. These and the addresses are asked for anew with
    each request: a reload may change what they give.
    """

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=registry.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def healthz(_: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def readyz(_: web.Request) -> web.Response:
        asked = probes()
        results = await asyncio.gather(*(probe() for probe in asked.values()))
        checks = {name: "ok" if result else "failing" for name, result in zip(asked, results, strict=True)}
        body = orjson.dumps({"ready": all(results), "checks": checks, **details()})
        return web.Response(status=200 if all(results) else 503, body=body, content_type="application/json")

    application = web.Application(middlewares=[_guard(addresses)])
    application.router.add_get("/metrics", metrics)
    application.router.add_get("/healthz", healthz)
    application.router.add_get("/readyz", readyz)
    application.router.add_routes(more)
    return application


def _guard(addresses: Callable[[], Addresses]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Checks Host and Origin on every route: a web page must not reach this listener by DNS rebinding."""

    @web.middleware
    async def guard(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        try:
            addresses().check(request.headers.items())
        except ForeignAddressError as error:
            return web.json_response({"error": str(error)}, status=error.status)
        return await handler(request)

    return guard
