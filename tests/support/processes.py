"""Our commands as processes of their own, started as people start them."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import aiohttp


class CommandProcess:
    """One `gateway` command that runs until it is stopped."""

    def __init__(self, *arguments: str, ready: str) -> None:
        """`ready` is a regular expression for the line that says it has started."""
        self._arguments = arguments
        self._ready = re.compile(ready)
        self.output = ""

    async def start(self) -> re.Match[str]:
        """Start it and wait for its line. Raises `RuntimeError` with its output if it ends before that."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *self._arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        async with asyncio.timeout(30):
            while not (match := self._ready.search(self.output)):
                self.output += await self._next_line()
        return match

    async def kill(self) -> None:
        """SIGKILL: nothing is flushed, nothing is closed."""
        self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def stop(self) -> int:
        """SIGTERM; the exit code. The rest of its output is kept."""
        self._process.send_signal(signal.SIGTERM)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end; the exit code."""
        rest, _ = await self._process.communicate()
        self.output += rest.decode()
        return self._process.returncode or 0

    async def _next_line(self) -> str:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the command ended: {self.output}")
        return line.decode()


class GatewayProcess(CommandProcess):
    """`gateway serve`."""

    def __init__(self, config_path: Path) -> None:
        super().__init__("serve", "--config", str(config_path), ready=r"agents: (\S+)  admin: (\S+)")
        self.url = ""
        self.admin_url = ""

    async def start(self) -> re.Match[str]:
        """Start it; `url` and `admin_url` are known afterwards."""
        match = await super().start()
        self.url, self.admin_url = f"{match[1]}/mcp", match[2]
        return match

    async def metrics(self) -> str:
        """What Prometheus would scrape."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.admin_url}/metrics") as answer:
            return await answer.text()


class DemoProcess(CommandProcess):
    """`gateway demo` on a free port."""

    def __init__(self) -> None:
        super().__init__("demo", "--port", "0", ready=r"(http://127\.0\.0\.1:\d+/mcp)")
        self.url = ""

    async def start(self) -> re.Match[str]:
        """Start it; `url` is known afterwards."""
        match = await super().start()
        self.url = match[1]
        return match

    async def calls(self, tool: str) -> int:
        """How many calls of `tool` arrived: the server's own count."""
        url = self.url.removesuffix("/mcp") + "/debug/calls"
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return int((await answer.json()).get(tool, 0))
