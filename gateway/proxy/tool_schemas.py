"""The schemas of one server's tools, kept up to date for policies that validate by them.

While the server cannot be asked no schema is known, and what needs one is refused.
"""

import asyncio
import collections
import logging
from typing import Any, Final

from gateway.policy.schemas import ToolSchema, compile_tool_schema
from gateway.proxy.answer_filter import AnswerFilter, Watch
from gateway.proxy.tool_lister import ListingError, list_tools
from gateway.proxy.upstream import Upstream

logger = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
_MARK: Final = b"notifications/tools/list_changed"


class ToolSchemas:
    """A `SchemaSource` that asks its server."""

    def __init__(self, upstream: Upstream, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        """`first_pause_s` is the shortest time between two listings; after a failure it doubles each time."""
        self._upstream = upstream
        self._first_pause_s = first_pause_s
        self._schemas: dict[str, ToolSchema] = {}
        self._changed = asyncio.Event()
        self.is_kept = False
        """Whether `keep` runs."""

    def schema(self, tool: str) -> ToolSchema | None:
        """The tool's schema; None while it is not known, or cannot be used."""
        return self._schemas.get(tool)

    def watch(self, then: AnswerFilter | None) -> AnswerFilter | None:
        """What looks for the server's word that its tools have changed, before `then` filters the answer."""
        if not self.is_kept:
            return then
        return Watch(_MARK, lambda _: self._changed.set(), then)

    async def keep(self) -> None:
        """List the tools, again when they have changed or when that failed, until cancelled."""
        self.is_kept = True
        try:
            await self._keep()
        finally:
            self.is_kept = False
            self._schemas = {}

    async def _keep(self) -> None:
        pause_s = self._first_pause_s
        while True:
            self._changed.clear()
            try:
                self._schemas = await _compiled(await list_tools(self._upstream))
            except ListingError as error:
                logger.warning("calls that are to be validated are refused for now: %s", error)
                self._schemas = {}
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            pause_s = self._first_pause_s
            await self._changed.wait()
            # A server that says so all the time is not asked all the time.
            await asyncio.sleep(pause_s)


async def _compiled(tools: list[dict[str, Any]]) -> dict[str, ToolSchema]:
    """The usable schemas; a name that is listed twice has none, since nobody knows which one the server means."""
    schemas: dict[str, ToolSchema] = {}
    times = collections.Counter(name for tool in tools if isinstance(name := tool.get("name"), str))
    for tool in tools:
        name, schema = tool.get("name"), tool.get("inputSchema")
        if not isinstance(name, str) or times[name] > 1 or not isinstance(schema, dict):
            continue
        try:
            schemas[name] = compile_tool_schema(schema)
        except (ValueError, TypeError) as error:
            logger.warning("the server's schema of the tool %.64r cannot be used: %.200s", name, error)
        # Thousands of large schemas take seconds; agents are served in between.
        await asyncio.sleep(0)
    return schemas
