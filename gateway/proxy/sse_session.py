"""One agent's session over HTTP+SSE (2024-11-05): its stream, and what the session behind it is known by.

Everything for the agent goes through one queue to the one task that writes the stream, so that events never mix and
whoever has something to say waits until the agent takes it. `sse_downstream` makes sessions; sinks send to them.
"""

import asyncio
import re
from typing import Any, Final

from gateway.mcp import headers as mcp_headers
from gateway.mcp.headers import Headers
from gateway.proxy.identity import Grant
from gateway.proxy.relay import Relay
from gateway.proxy.sink import Sink
from gateway.proxy.transfer import KEEP_ALIVE
from gateway.tasks import Tasks

# Each takes up a connection to the server; an agent over streamable HTTP would need as many to us.
MAX_CALLS: Final = 64

_REVISION: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
# The first in which agents name the negotiated revision in a header (2025-06-18 changelog).
_FIRST_WITH_HEADER: Final = "2025-06-18"


class AgentStream:
    """The stream of events to one agent."""

    def __init__(self, keep_alive_s: float) -> None:
        """`keep_alive_s` is how long it may be silent before the agent gets a comment."""
        self._keep_alive_s = keep_alive_s
        self._events: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._is_open = True

    async def send(self, event: bytes | None) -> None:
        """Pass an event on, waiting for those before it; None ends the stream. Raises `ConnectionError`."""
        if self._is_open:
            await self._events.put(event)
        if not self._is_open:
            raise ConnectionResetError("the agent's stream has ended")

    async def run(self, sink: Sink) -> None:
        """Write what is sent until the end is. Raises `ConnectionError` when the agent has gone."""
        try:
            while (event := await self._next()) is not None:
                await sink.write(event)
        finally:
            self._is_open = False
            # Whoever waits for a turn is given one, and finds that the stream has ended.
            while not self._events.empty():
                self._events.get_nowait()
                await asyncio.sleep(0)

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout(self._keep_alive_s):
                return await self._events.get()
        except TimeoutError:
            return KEEP_ALIVE


class AgentSession:
    """One agent's stream, from its opening to its end."""

    def __init__(self, id: str, grant: Grant, relay: Relay, peer: str, stream: AgentStream) -> None:
        self.id = id
        """Ours, as it stands in the address that the agent posts its messages to."""
        self.grant = grant
        self.relay = relay
        self.peer = peer
        self.stream = stream
        self.calls = Tasks()
        """One for each request under way."""
        self.background = Tasks()
        """What else goes on for as long as the stream is open."""
        self.is_listening = False
        """Whether the server was asked for a stream of its own."""
        self._server_headers: dict[str, str] = {}

    @property
    def has_server_session(self) -> bool:
        """Whether the server has opened a session."""
        return mcp_headers.SESSION_ID in self._server_headers

    def headers(self, sent: Headers = ()) -> list[tuple[str, str]]:
        """What an agent over streamable HTTP would send now, given what this one `sent`."""
        ours = (mcp_headers.SESSION_ID, mcp_headers.PROTOCOL_VERSION, mcp_headers.LAST_EVENT_ID)
        return [*self._server_headers.items(), *(pair for pair in sent if pair[0].lower() not in ours)]

    def learn(self, headers: Headers) -> None:
        """The server's answer to `initialize` has begun: its session is this one's."""
        if session_id := mcp_headers.value_of(headers, mcp_headers.SESSION_ID):
            self._server_headers[mcp_headers.SESSION_ID] = session_id

    def negotiated(self, result: dict[str, Any]) -> None:
        """The result of `initialize` is here: later messages name the revision in it, where revisions do."""
        version = result.get("protocolVersion")
        if isinstance(version, str) and _REVISION.fullmatch(version) and version >= _FIRST_WITH_HEADER:
            self._server_headers[mcp_headers.PROTOCOL_VERSION] = version

    async def close(self) -> None:
        """End everything that was done for the agent."""
        await self.calls.close()
        await self.background.close()
