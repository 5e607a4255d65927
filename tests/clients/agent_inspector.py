"""An agent on the MCP Inspector: URL TOKEN NODE PROGRAM, and steps on standard input.

The program is `cli`, whose every command opens a session of its own, or `mcpdo`, which keeps one in a background
process of its own. The working directory is the one that `make node` has installed the Inspector into.
"""

import asyncio
import json
import os
import secrets
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

import scenario

BUILDS = Path("node_modules", "@modelcontextprotocol", "inspector", "clients")


class InspectorError(Exception):
    """A command that gave no result."""


class Inspector:
    """See `scenario.Agent`. What the two programs have in common; neither shows progress."""

    def __init__(self, url: str, token: str, node: str, home: str) -> None:
        self._url = url
        self._authorization = ("--header", f"Authorization: Bearer {token}")
        self._node = node
        # It keeps a catalogue and secrets in the home directory, and finds its background process by the other two.
        self._environment = os.environ | {
            "HOME": home,
            "MCP_INSPECTOR_DAEMON_DIR": home,
            "MCP_INSPECTOR_DAEMON_TOKEN": secrets.token_urlsafe(),
        }

    async def list_tools(self):
        return [tool["name"] for tool in (await self.request("tools/list"))["tools"]]

    async def call_tool(self, name, arguments):
        result = await self.request("tools/call", "--tool-name", name, "--tool-args-json", json.dumps(arguments))
        return result["isError"], "".join(block.get("text", "") for block in result["content"])

    async def read_resource(self, uri):
        return (await self.request("resources/read", "--uri", uri))["contents"][0]["text"]

    async def get_prompt(self, name):
        return (await self.request("prompts/get", "--prompt-name", name))["messages"][0]["content"]["text"]

    async def request(self, method: str, *options: str) -> Any:
        """The result of one request. Raises `InspectorError`."""
        raise NotImplementedError

    async def run(self, script: str, *arguments: str) -> Any:
        """What one command prints: a result on the one stream, or why there is none on the other."""
        process = await asyncio.create_subprocess_exec(
            *(self._node, str(BUILDS / script), "--format", "json", *arguments),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
            env=self._environment,
        )
        try:
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if not output:
            raise InspectorError(errors.decode().strip())
        return json.loads(output)


class Cli(Inspector):
    """One command, one session."""

    async def connection(self):
        initialized = await self.request("initialize")
        return initialized["serverInfo"]["name"], initialized["protocolVersion"]

    async def request(self, method, *options):
        command = (self._url, "--method", method, *options, *self._authorization)
        return (await self.run("cli/build/index.js", *command))["result"]


class Mcpdo(Inspector):
    """One session, which `open` begins, and questions that are answered by a command of their own."""

    async def open(self) -> None:
        """Connect, as a modern client."""
        await self._mcpdo("connect", self._url, "--era", "modern", *self._authorization)

    async def close(self) -> None:
        """Disconnect, which ending the background process does."""
        await self._mcpdo("daemon", "stop")

    async def connection(self):
        shown = await self.request("connections/show")
        return shown["serverInfo"]["name"], shown["protocolVersion"]

    async def request(self, method, *options):
        result = await self._mcpdo("--connection", self._url, method, *options)
        if asked := result.get("elicitationPending"):
            answer = json.dumps(scenario.filled_in(asked["requestedSchema"]))
            return await self.request("elicitation/respond", asked["elicitationId"], answer)
        return result

    async def _mcpdo(self, *arguments: str) -> Any:
        return await self.run("mcpdo/build/mcp-bin.js", *arguments)


async def main(url: str, token: str, node: str, program: str) -> None:
    """Connect and do the steps."""
    # The background process may still be tidying up in there when it has said that it stops.
    with tempfile.TemporaryDirectory(prefix="inspector-", ignore_cleanup_errors=True) as home:
        if program == "cli":
            await scenario.run(Cli(url, token, node, home))
            return
        mcpdo = Mcpdo(url, token, node, home)
        await mcpdo.open()
        try:
            await scenario.run(mcpdo)
        finally:
            await mcpdo.close()


asyncio.run(main(*sys.argv[1:]))
