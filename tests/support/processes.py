"""The gateway as a process of its own, started with the command that people use."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

_ADDRESSES = re.compile(r"agents: (\S+)  admin: (\S+)")


class GatewayProcess:
    """`gateway serve` on loopback. Start it once; kill it or stop it."""

    def __init__(self, config_path: Path) -> None:
        self._config_path = config_path
        self.output = ""
        self.url = ""
        self.admin_url = ""

    async def start(self) -> None:
        """Start it and wait for the line that names its addresses."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "serve", "--config", str(self._config_path)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        async with asyncio.timeout(30):
            while not (match := _ADDRESSES.search(self.output)):
                self.output += await self._next_line()
        self.url, self.admin_url = f"{match[1]}/mcp", match[2]

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
            raise RuntimeError(f"the gateway ended: {self.output}")
        return line.decode()
