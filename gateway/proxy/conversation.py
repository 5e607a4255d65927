"""All that one agent says and hears where it has a single stream: over HTTP+SSE (2024-11-05), or through stdio.

Everything for the agent goes through one queue to the one task that writes the stream, so that messages never mix and
whoever has something to say waits until the agent takes it. `conversations` carries on what is begun here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from gateway.mcp import headers as mcp_headers
from gateway.mcp import param_headers
from gateway.mcp.headers import Headers
from gateway.mcp.message import Message, MessageId, Notification, Request
from gateway.mcp.param_headers import ParamHeaders
from gateway.proxy.announced import declared_lists
from gateway.proxy.identity import Grant
from gateway.proxy.transfer import KEEP_ALIVE
from gateway.tasks import Tasks

# A server that lists more tools than this gets no headers for those beyond.
MAX_MIRRORED_TOOLS: Final = 1000

_REVISION: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
# The first in which agents name the negotiated revision in a header (2025-06-18 changelog).
_FIRST_WITH_HEADER: Final = "2025-06-18"


class AgentStream:
    """The stream of messages to one agent."""

    def __init__(self, frame: Callable[[bytes], bytes], keep_alive_s: float | None) -> None:
        """`frame` makes a JSON text what the stream carries; `keep_alive_s` is how long the stream may be silent
        before the agent gets an SSE comment, None where it never does.
        """
        self._frame = frame
        self._keep_alive_s = keep_alive_s
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1)
        self._is_open = True

    async def send(self, message: bytes | None) -> None:
        """Pass a message on, waiting for those before it; None ends the stream. Raises `ConnectionError`."""
        if self._is_open:
            await self._messages.put(None if message is None else self._frame(message))
        if not self._is_open:
            raise ConnectionResetError("the agent's stream has ended")

    async def run(self, write: Callable[[bytes], Awaitable[None]]) -> None:
        """Write what is sent until the end is. Raises what `write` does: `ConnectionError` when the agent has gone."""
        try:
            while (data := await self._next()) is not None:
                await write(data)
        finally:
            self._is_open = False
            # Whoever waits for a turn is given one, and finds that the stream has ended.
            while not self._messages.empty():
                self._messages.get_nowait()
                await asyncio.sleep(0)

    async def _next(self) -> bytes | None:
        try:
            async with asyncio.timeout(self._keep_alive_s):
                return await self._messages.get()
        except TimeoutError:
            return KEEP_ALIVE


class Conversation:
    """One agent's stream, from its opening to its end, and the server's session behind it, where it has one."""

    def __init__(self, id: str, grant: Grant, peer: str, stream: AgentStream) -> None:
        self.id = id
        """Ours, which no other conversation has."""
        self.grant = grant
        self.peer = peer
        self.stream = stream
        self.calls = Tasks()
        """One for each request under way."""
        self.cancellable: dict[MessageId, asyncio.Task[None]] = {}
        """Those of the calls that end when the agent cancels them, and the server hears no more: the modern ones."""
        self.sessionless: dict[MessageId, asyncio.Task[None]] = {}
        """The legacy ones that no session of the server's knows. When the agent cancels one nothing waits for it here
        any longer; the server hears of it too, and may do as it likes."""
        self.background = Tasks()
        """What else goes on for as long as the stream is open."""
        self.is_listening = False
        """Whether the server was asked for a stream of its own."""
        self.announced_lists: tuple[str, ...] = ()
        """Those whose changes the agent was promised to hear of."""
        self._server_headers: dict[str, str] = {}
        self._mirrored: dict[str, ParamHeaders] = {}

    @property
    def has_server_session(self) -> bool:
        """Whether the server has opened a session."""
        return mcp_headers.SESSION_ID in self._server_headers

    def headers(self, sent: Headers = ()) -> list[tuple[str, str]]:
        """What a legacy agent over streamable HTTP would send now, given what this one `sent`."""
        ours = (mcp_headers.SESSION_ID, mcp_headers.PROTOCOL_VERSION, mcp_headers.LAST_EVENT_ID)
        return [*self._server_headers.items(), *(pair for pair in sent if pair[0].lower() not in ours)]

    def param_headers(self, request: Request) -> list[tuple[str, str]]:
        """The `Mcp-Param-*` headers of a call, as far as the tool was listed in this conversation."""
        declared = self._mirrored.get(request.target) if request.method == "tools/call" else None
        return param_headers.of(declared, request.arguments) if declared else []

    def learn(self, headers: Headers) -> None:
        """The server's answer to `initialize` has begun: its session is this one's."""
        if session_id := mcp_headers.value_of(headers, mcp_headers.SESSION_ID):
            self._server_headers[mcp_headers.SESSION_ID] = session_id

    def answered(self, request: Request, result: dict[str, Any]) -> None:
        """The result of a request is here: `initialize` and `tools/list` decide the headers of what follows."""
        if request.method == "initialize":
            self.announced_lists = declared_lists(result)
        match request.method, result:
            case "initialize", {"protocolVersion": str(version)} if _is_named_in_header(version):
                self._server_headers[mcp_headers.PROTOCOL_VERSION] = version
            case "tools/list", {"tools": list(tools)}:
                self._list(tools)

    async def close(self) -> None:
        """End everything that was done for the agent."""
        # Nobody reads on and makes more calls while the calls are ended.
        await self.background.close()
        await self.calls.close()

    def _list(self, tools: Sequence[Any]) -> None:
        for tool in tools:
            match tool:
                case {"name": str(name), "inputSchema": dict(schema)}:
                    self._mirrored.pop(name, None)
                    declared = param_headers.declared(schema)
                    if declared and len(self._mirrored) < MAX_MIRRORED_TOOLS:
                        self._mirrored[name] = declared


def cancelled_call(calls: Mapping[MessageId, asyncio.Task[None]], message: Message) -> asyncio.Task[None] | None:
    """The call that `message` says nobody waits for, if it is one of `calls`."""
    match message:
        # To Python `true` is the same key as 1.
        case Notification("notifications/cancelled", {"requestId": int() | str() as id}) if not isinstance(id, bool):
            return calls.get(id)
        case _:
            return None


def _is_named_in_header(version: str) -> bool:
    return _REVISION.fullmatch(version) is not None and version >= _FIRST_WITH_HEADER
