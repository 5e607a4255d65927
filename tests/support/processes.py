"""Our commands as processes of their own, started as people start them."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from pathlib import Path
from typing import Self

import aiohttp


class CommandProcess:
    """One `gateway` command. `async with` starts it and sees that it has ended, whatever becomes of the test."""

    def __init__(self, *arguments: str, ready: str) -> None:
        """`ready` is a regular expression for the line that says it has started."""
        self._arguments = arguments
        self._ready = ready
        self.output = ""

    async def __aenter__(self) -> Self:
        """Start it and wait for its line. Raises `RuntimeError` with its output if it ends before that."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", *self._arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
        try:
            self._has_started(await self.says(self._ready))
        except BaseException:
            await self.kill()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    async def says(self, pattern: str) -> re.Match[str]:
        """Wait until its output matches. Raises `RuntimeError` with the output if it ends before that."""
        async with asyncio.timeout(30):
            while not (match := re.search(pattern, self.output)):
                self.output += await self._next_line()
        return match

    async def listen(self) -> None:
        """Take what it says as it says it, so that it never waits for a reader, until this is cancelled."""
        with contextlib.suppress(RuntimeError):
            while True:
                self.output += await self._next_line()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def kill(self) -> None:
        """SIGKILL for it and what it has started, where it still runs: nothing is flushed, nothing is closed."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self.ended()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.send_signal(signal.SIGTERM)

    async def stop(self) -> int:
        """SIGTERM; the exit code. The rest of its output is kept."""
        self.terminate()
        return await self.ended()

    async def ended(self) -> int:
        """Wait for the end; the exit code, negative for a signal."""
        rest, _ = await self._process.communicate()
        self.output += rest.decode()
        return self._process.returncode or 0

    def _has_started(self, ready: re.Match[str]) -> None:
        """Take from the line what there is to know."""

    async def _next_line(self) -> str:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the command ended: {self.output}")
        return line.decode()


class GatewayProcess(CommandProcess):
    """`gateway serve`. `url`, where the agents of its first server connect, and `admin_url` are known once started."""

    def __init__(self, config_path: Path, *more: str) -> None:
        super().__init__("serve", "--config", str(config_path), *more, ready=r"agents: (\S+).*  admin: (\S+)")

    def _has_started(self, ready: re.Match[str]) -> None:
        self.url, self.admin_url = ready.groups()

    async def metrics(self) -> str:
        """What Prometheus would scrape."""
        async with aiohttp.ClientSession() as client, client.get(f"{self.admin_url}/metrics") as answer:
            return await answer.text()


class DemoProcess(CommandProcess):
    """`gateway demo` on a free port. `url` is known once started."""

    def __init__(self) -> None:
        super().__init__("demo", "--port", "0", ready=r"(http://127\.0\.0\.1:\d+/mcp)")

    def _has_started(self, ready: re.Match[str]) -> None:
        self.url = ready[1]

    async def calls(self, tool: str) -> int:
        """How many calls of `tool` arrived: the server's own count."""
        url = self.url.removesuffix("/mcp") + "/debug/calls"
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return int((await answer.json()).get(tool, 0))
