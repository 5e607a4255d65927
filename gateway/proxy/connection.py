"""aiohttp's server, with answers of our own for what never becomes a request: malformed, late, one too many.

aiohttp's own would be a traceback in the log for each malformed request and no record, and it neither limits how long
the head of a request may take nor how many connections there are.
"""

import asyncio
import collections
from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiohttp import web
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from gateway.bounds import Bounds
from gateway.proxy.in_flight import Owner
from gateway.proxy.reply import CLOSE, Refusal

LINGER_S: Final = 2.0

Handle = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Refuse = Callable[[web.BaseRequest, int, BaseException | None], web.Response]


class Listener(web.Server):
    """The agents' listener. Handlers are cancelled when an agent goes away, which aiohttp does only when told to."""

    def __init__(
        self, handle: Handle, refuse: Refuse, *, idle_s: float, head_s: float, bounds: Callable[[], Bounds]
    ) -> None:
        """`refuse` answers a request that could not be read, or whose handler failed, with a status.

        A connection may be idle for `idle_s`. The head of a request, its line and headers, may take `head_s` from its
        first byte, and that of the first one from the connection's opening. `bounds` gives those in force.
        """
        super().__init__(
            handle,
            handler_cancellation=True,
            access_log=None,
            keepalive_timeout=idle_s,
            # Encoded bodies are refused, and what is refused is not unpacked.
            auto_decompress=False,
            # Whoever is refused in the middle of a body hears of it if there is not much left to send.
            lingering_time=LINGER_S,
        )
        self._refuse = refuse
        self._head_s = head_s
        self._bounds = bounds
        self._owners: dict[Connection, Owner] = {}
        self._owned = collections.Counter[Owner]()

    def __call__(self) -> "Connection":
        """The protocol of one more connection."""
        return Connection(self, self._refuse, self._head_s, loop=asyncio.get_running_loop(), **self._kwargs)

    @property
    def is_full(self) -> bool:
        """Whether there are more connections than there may be."""
        return len(self.connections) > self._bounds().connections

    def close_idle(self) -> None:
        """Close the connections that no request is on, nor on its way as far as anybody can tell."""
        for connection in list(self.connections):
            if isinstance(connection, Connection) and connection.is_idle:
                connection.force_close()

    def claim(self, connection: "Connection", owner: Owner) -> None:
        """A grant uses a connection, which counts as its own from here on. Raises `Refusal` (503) for one too many."""
        if self._owners.get(connection) == owner:
            return
        most = self._bounds().connections_per_grant
        if self._owned[owner] >= most:
            message = f"This grant has {most} connections open already; try again."
            headers = {"Retry-After": "1", **CLOSE}
            raise Refusal(503, "grant_connections", message, headers=headers)
        self.disclaim(connection)
        self._owners[connection] = owner
        self._owned[owner] += 1

    def disclaim(self, connection: "Connection") -> None:
        """A connection is nobody's any more."""
        if (owner := self._owners.pop(connection, None)) is not None:
            self._owned[owner] -= 1
            if not self._owned[owner]:
                del self._owned[owner]


class Connection(RequestHandler):
    """One agent's connection."""

    __slots__ = ("_has_head_begun", "_head_s", "_head_timer", "_listener", "_refuse")

    def __init__(self, listener: Listener, refuse: Refuse, head_s: float, **settings: Any) -> None:
        super().__init__(listener, **settings)
        self._listener = listener
        self._refuse = refuse
        self._head_s = head_s
        self._head_timer: asyncio.TimerHandle | None = None
        self._has_head_begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The first request is waited for from here on; one connection too many is told so, and closed."""
        super().connection_made(transport)
        if self._listener.is_full:
            message = "The gateway has as many connections as it takes; try again."
            self._answer_unasked(Refusal(503, "connections", message, headers={"Retry-After": "1"}))
        else:
            self._head_timer = self._loop.call_later(self._head_s, self._head_is_late)

    def claim(self, owner: Owner) -> None:
        """The connection's agent has this grant. Raises `Refusal` (503) when the grant has too many connections."""
        self._listener.claim(self, owner)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nothing is waited for any longer."""
        self._stop_timer()
        self._listener.disclaim(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Time the head of each request: it is late when its end is not here `head_s` after its beginning.

        What came together with the end of the request before is not seen as a beginning; the next byte is, and until
        then the connection is as good as idle.
        """
        requests = self._request_count
        super().data_received(data)
        if self._request_count != requests:
            self._stop_timer()
        elif self._is_waiting:
            self._has_head_begun = True
            if self._head_timer is None:
                self._head_timer = self._loop.call_later(self._head_s, self._head_is_late)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to a request that failed before or in its handler; the connection is closed after it.

        Raises `ConnectionError` when some of another answer is on its way already.
        """
        if request.writer.output_size > 0:
            raise ConnectionError("some of the answer is on its way already")
        response = self._refuse(request, status, exc)
        response.force_close()
        return response

    @property
    def is_idle(self) -> bool:
        """Whether there is no request on it, not even the beginning of one."""
        return self._is_waiting and not self._has_head_begun

    @property
    def _is_waiting(self) -> bool:
        """Whether no request is being handled, nor about to be."""
        return self._waiter is not None and not self._waiter.done()

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._has_head_begun:
            self._answer_unasked(Refusal(408, "slow_head", f"The headers took longer than {self._head_s:g} s."))
        else:
            self.force_close()

    def _stop_timer(self) -> None:
        self._has_head_begun = False
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _answer_unasked(self, refusal: Refusal) -> None:
        """Refuse what is no request yet, in the way that aiohttp refuses what it cannot read."""
        self._messages.append((_ErrInfo(refusal.status, refusal, str(refusal)), EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
