"""A real Prometheus on loopback, with the project's own rules, and its HTTP API."""

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml

ROOT: Final = Path(__file__).parents[2]
CONFIG: Final = ROOT / "grafana" / "prometheus.yml"

INTERVAL_S: Final = 1
_START_S: Final = 30


class CheckError(Exception):
    """Something that the check needs is not there, or does not work."""


class Prometheus:
    """A started Prometheus. Raises `CheckError` for a query that it does not take."""

    def __init__(self, client: aiohttp.ClientSession, url: str) -> None:
        self._client = client
        self.url = url

    async def query(self, expr: str) -> list[dict[str, Any]]:
        """The samples that an expression has now."""
        return list((await self._get("query", {"query": expr}))["result"])

    async def query_range(self, expr: str, seconds: float, step: float) -> list[dict[str, Any]]:
        """The series that an expression has had for so long."""
        now = float((await self._get("query", {"query": "time()"}))["result"][1])
        asked = {"query": expr, "start": f"{now - seconds}", "end": f"{now}", "step": f"{step}"}
        return list((await self._get("query_range", asked))["result"])

    async def values(self, label: str, selector: str) -> list[str]:
        """The values of a label in the series of a selector."""
        return list(await self._get(f"label/{label}/values", {"match[]": selector}))

    async def rules(self) -> list[dict[str, Any]]:
        """Every rule with its health, as Prometheus evaluates it."""
        groups = (await self._get("rules", {}))["groups"]
        return [rule for group in groups for rule in group["rules"]]

    async def _get(self, path: str, asked: Mapping[str, str]) -> Any:
        async with self._client.get(f"{self.url}/api/v1/{path}", params=asked) as answer:
            body = await answer.json()
        if body["status"] != "success":
            raise CheckError(f"Prometheus does not take {asked}: {body['error']}")
        return body["data"]


def configuration(target: str) -> dict[str, Any]:
    """The project's own configuration, scraping `target` every second."""
    document: dict[str, Any] = yaml.safe_load(CONFIG.read_text())
    document["global"] = {"scrape_interval": f"{INTERVAL_S}s", "evaluation_interval": f"{INTERVAL_S}s"}
    document["rule_files"] = [str(CONFIG.parent / path) for path in document["rule_files"]]
    for job in document["scrape_configs"]:
        job["static_configs"] = [{"targets": [target]}]
    return document


@asynccontextmanager
async def running(directory: Path, target: str) -> AsyncIterator[Prometheus]:
    """A Prometheus that scrapes `target` (host:port) and keeps its data in `directory`. Raises `CheckError`."""
    config = directory / "prometheus.yml"
    config.write_text(yaml.safe_dump(configuration(target)))
    url = f"http://127.0.0.1:{_free_port()}"
    with (directory / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={directory / 'data'}",
            f"--web.listen-address={url.removeprefix('http://')}",
            stdout=log,
            stderr=log,
        )
    try:
        async with aiohttp.ClientSession() as client:
            await _ready(client, url, process, directory)
            yield Prometheus(client, url)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _ready(client: aiohttp.ClientSession, url: str, process: asyncio.subprocess.Process, directory: Path) -> None:
    for _ in range(_START_S * 10):
        if process.returncode is not None:
            break
        try:
            async with client.get(f"{url}/-/ready") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
    raise CheckError(f"Prometheus did not start; see {directory / 'prometheus.log'}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
