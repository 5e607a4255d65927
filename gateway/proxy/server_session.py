"""One session on a server that says everything on one stream: who waits for which answer, and what nobody asked for.

What is said is told apart by the ids of the requests. How it gets here and how messages get to the server is for
`sse_server` and `stdio_session`; this knows neither transports nor agents.
"""

import abc
import logging
from collections.abc import Callable
from typing import Any

from gateway.mcp import headers as mcp_headers
from gateway.mcp import sse
from gateway.mcp.message import MessageId, Request
from gateway.proxy.mailbox import Mailbox
from gateway.proxy.pending_call import EVENTS, PendingCall
from gateway.proxy.upstream import Answer, UpstreamError

logger = logging.getLogger(__name__)


class ServerSession(abc.ABC):
    """One session, for as long as the server's stream is open."""

    def __init__(self, id: str, closed: Callable[[str], None]) -> None:
        """`closed` is told, with the id, when the session ends, whichever way."""
        self.id = id
        """Ours: the server has no say in it."""
        self.mailbox = Mailbox()
        self.is_open = True
        self._closed = closed
        self._waiting: dict[MessageId, PendingCall] = {}

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for something."""
        return bool(self._waiting) or self.mailbox.is_read

    def expect(self, request: Request, timeout_s: float | None) -> Answer:
        """The answer to a request that is about to be sent; to be closed if that fails.

        That to `initialize` names the session, as a server of streamable HTTP would.
        """
        call = self._waiting[request.id] = PendingCall(request)

        def give_up() -> None:
            if self._waiting.get(request.id) is call:
                del self._waiting[request.id]
                self.given_up(request)

        session_id = [(mcp_headers.SESSION_ID, self.id)] if request.method == "initialize" else []
        return call.stream(timeout_s, give_up, session_id)

    def listen(self) -> Answer:
        """What the server says of its own accord, until the session ends."""
        events = self.mailbox.read()
        return Answer(200, EVENTS, lambda: events, self.mailbox.release)

    def close(self) -> None:
        """End the session: whoever waits is told, and the server's stream is closed."""
        if not self.is_open:
            return
        self.is_open = False
        waiting = list(self._waiting.values())
        self._waiting.clear()
        for call in waiting:
            call.end(self.ended(call.request))
        self.mailbox.close()
        self.let_go()
        self._closed(self.id)

    async def sort(self, message: dict[str, Any], data: bytes) -> None:
        """Take a message, `data` as the server wrote it: to whoever waits for it, else to the mailbox."""
        if "method" in message:
            call = self._told_of_progress(message)
            if call is not None:
                call.say(data)
            else:
                await self.mailbox.put(sse.encode_event(data))
            return
        id = message.get("id")
        # By exact type: 1.0 and true are the same key as 1 to Python.
        call = self._waiting.pop(id, None) if type(id) is int or type(id) is str else None
        if call is None:
            logger.debug("a server answered what nobody asked, or no longer waits for")
        else:
            call.answer(data)

    def _told_of_progress(self, message: dict[str, Any]) -> PendingCall | None:
        """The call that a message is about the progress of: on another connection it could arrive after the answer."""
        params = message.get("params")
        if message["method"] != "notifications/progress" or not isinstance(params, dict):
            return None
        token = params.get("progressToken")
        return next((call for call in self._waiting.values() if call.has_token(token)), None)

    @abc.abstractmethod
    def given_up(self, request: Request) -> None:
        """Nobody waits for the answer to a request any more."""

    @abc.abstractmethod
    def ended(self, request: Request) -> UpstreamError:
        """What whoever waits for the answer to a request is told when the session ends."""

    @abc.abstractmethod
    def let_go(self) -> None:
        """Close what the server is spoken to by; called once, when the session ends."""
