"""The connections to one server: reused while fresh, bounded in number, opened when there is none to reuse.

`http_upstream` asks it for connections; what is sent over them is no concern of this module.
"""

import asyncio
import collections
import ssl
from typing import Final

from gateway.proxy.http_connection import ServerConnection

CONNECT_TIMEOUT_S: Final = 2.0
# Servers close idle connections after 5 s (hypercorn, Node); one that is reused at that moment fails.
IDLE_CONNECTION_S: Final = 3.0


class NoRoomError(TimeoutError):
    """All the connections that there may be are in use. The server has no part in that."""


class HttpPool:
    """Connections to one address."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, *, most: int) -> None:
        """At most `most` connections are open at a time; `tls` where the server speaks it."""
        self._host = host
        self._port = port
        self._tls = tls
        self._most = most
        self._idle: list[ServerConnection] = []
        """Those that wait, the one used last at the end: the others get a chance to grow old."""
        self._open: set[ServerConnection] = set()
        self._opening = 0
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()
        self._sweep: asyncio.TimerHandle | None = None
        self.is_closed = False

    async def connection(self) -> ServerConnection:
        """A connection for one request. It comes back by itself.

        Raises `OSError` when none can be opened and `TimeoutError` after `CONNECT_TIMEOUT_S`, the wait for a free
        place included, which is a `NoRoomError` where that was all of it.
        """
        if self.is_closed:
            raise ConnectionAbortedError("the pool is closed")
        if (fresh := self._fresh()) is not None:
            return fresh
        deadline = asyncio.get_running_loop().time() + CONNECT_TIMEOUT_S
        try:
            async with asyncio.timeout_at(deadline):
                while len(self._open) + self._opening >= self._most:
                    await self._room()
                    if (fresh := self._fresh()) is not None:
                        return fresh
        except TimeoutError:
            raise NoRoomError from None
        async with asyncio.timeout_at(deadline):
            return await self._connect()

    def close(self) -> None:
        """Close every connection, those in use as well."""
        self.is_closed = True
        for connection in list(self._open):
            connection.abort()
        if self._sweep is not None:
            self._sweep.cancel()

    def _fresh(self) -> ServerConnection | None:
        oldest = asyncio.get_running_loop().time() - IDLE_CONNECTION_S
        while self._idle:
            connection = self._idle.pop()
            if connection.is_open and connection.idle_since > oldest:
                return connection
            connection.abort()
        return None

    async def _connect(self) -> ServerConnection:
        loop = asyncio.get_running_loop()
        self._opening += 1
        try:
            _, connection = await loop.create_connection(
                lambda: ServerConnection(self._returned, self._closed), self._host, self._port, ssl=self._tls
            )
        except BaseException:
            self._call_next()
            raise
        finally:
            self._opening -= 1
        self._open.add(connection)
        if self.is_closed:
            connection.abort()
        return connection

    async def _room(self) -> None:
        """Wait until a connection comes back or closes."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # It was our turn, and we are not there to take it.
                self._call_next()
            raise
        finally:
            if turn in self._waiting:
                self._waiting.remove(turn)

    def _returned(self, connection: ServerConnection) -> None:
        self._idle.append(connection)
        self._call_next()
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(IDLE_CONNECTION_S, self._close_old)

    def _closed(self, connection: ServerConnection) -> None:
        self._open.discard(connection)
        self._call_next()

    def _call_next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    def _close_old(self) -> None:
        """Close what has been idle for too long, and look again while anything is idle."""
        loop = asyncio.get_running_loop()
        oldest = loop.time() - IDLE_CONNECTION_S
        kept = [connection for connection in self._idle if connection.is_open and connection.idle_since > oldest]
        for connection in self._idle:
            if connection not in kept:
                connection.abort()
        self._idle = kept
        self._sweep = loop.call_later(IDLE_CONNECTION_S, self._close_old) if kept else None
