"""What is measured by looking at it from time to time: whether servers are there.

Numbers for Prometheus alone; nothing is decided by them. Made and run by `app`.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from gateway.metrics import Metrics

SERVER_INTERVAL_S: Final = 5.0


class Server(Protocol):
    """A server that can be looked at."""

    async def is_reachable(self) -> bool:
        """Whether it takes connections, answered within a time-out."""
        ...


class Vitals:
    """Looks, and sets the metrics."""

    def __init__(self, metrics: Metrics, servers: Callable[[], Mapping[str, Server]]) -> None:
        """`servers` are those that there are now, by name."""
        self._metrics = metrics
        self._servers = servers
        self._known: set[str] = set()

    async def watch_servers(self) -> None:
        """Look at the servers again and again. Ends only by being cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(SERVER_INTERVAL_S)

    async def look(self) -> None:
        """Look at every server once, at the same time; those that are no longer there lose their series."""
        servers = self._servers()
        reachable = await asyncio.gather(*(server.is_reachable() for server in servers.values()))
        for name, is_reachable in zip(servers, reachable, strict=True):
            self._metrics.servers.up.labels(name).set(is_reachable)
        for name in self._known - servers.keys():
            self._metrics.servers.up.remove(name)
        self._known = set(servers)
