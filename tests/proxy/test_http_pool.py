"""The connections to one server: reused while fresh, and never more than allowed."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvloop

from gateway.proxy import http_pool
from gateway.proxy.http_connection import Response, ServerConnection
from gateway.proxy.http_pool import HttpPool
from tests.support.waiting import eventually

REQUEST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers every request on every connection, once it may."""

    def __init__(self) -> None:
        self.accepted = 0
        self.open = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def start(self) -> None:
        """Listen on loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Listen no more."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self.open += 1
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                await self.may_answer.wait()
                writer.write(ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    """A server that answers at once."""
    started = Server()
    await started.start()
    yield started
    await started.stop()


@pytest.fixture
async def pool(server: Server) -> AsyncIterator[HttpPool]:
    """Two connections at most."""
    made = HttpPool("127.0.0.1", server.port, None, most=2)
    yield made
    made.close()


async def ask(pool: HttpPool) -> tuple[ServerConnection, Response]:
    """One request and its answer."""
    connection = await pool.connection()
    return connection, await connection.send(REQUEST)


async def test_a_connection_is_reused(server: Server, pool: HttpPool):
    """One after the other, requests need one connection."""
    for _ in range(5):
        await ask(pool)
    assert server.accepted == 1


async def test_requests_at_once_have_connections_of_their_own_up_to_the_bound(server: Server, pool: HttpPool):
    """The third waits until one of two is free."""
    server.may_answer.clear()
    asking = [asyncio.ensure_future(ask(pool)) for _ in range(3)]
    await eventually(lambda: server.accepted == 2)
    server.may_answer.set()
    await asyncio.gather(*asking)
    assert server.accepted == 2


async def test_a_wait_for_a_place_ends(server: Server, monkeypatch: pytest.MonkeyPatch, pool: HttpPool):
    """Who finds no place in time is told so, and takes none later."""
    server.may_answer.clear()
    busy = [asyncio.ensure_future(ask(pool)) for _ in range(2)]
    await eventually(lambda: server.accepted == 2)
    monkeypatch.setattr(http_pool, "CONNECT_TIMEOUT_S", 0.01)
    with pytest.raises(TimeoutError):
        await pool.connection()
    server.may_answer.set()
    await asyncio.gather(*busy)
    await ask(pool)
    assert server.accepted == 2


async def test_a_place_is_passed_on_when_its_taker_gives_up(server: Server, pool: HttpPool):
    """A turn that comes as its taker leaves is the next one's."""
    held = [await pool.connection() for _ in range(2)]
    waiting = [asyncio.ensure_future(pool.connection()) for _ in range(2)]
    await asyncio.sleep(0)
    held[0].connection_lost(None)
    waiting[0].cancel()
    connection = await waiting[1]
    assert connection.is_open
    held[0].abort()


async def test_a_connection_that_closed_is_not_reused(server: Server, pool: HttpPool):
    """Neither side's end is given to a request."""
    first, _ = await ask(pool)
    first.abort()
    second, _ = await ask(pool)
    assert second is not first
    assert server.accepted == 2


async def test_a_connection_that_was_idle_for_long_is_not_reused(
    server: Server, monkeypatch: pytest.MonkeyPatch, pool: HttpPool
):
    """Servers close those at any moment; so do we, before they do."""
    monkeypatch.setattr(http_pool, "IDLE_CONNECTION_S", 0.02)
    await ask(pool)
    await eventually(lambda: server.open == 0)
    await ask(pool)
    assert server.accepted == 2


def test_the_loop_of_production_will_do():
    """On uvloop, whose transports are no subclass of asyncio's, it is the same."""

    async def run() -> int:
        server = Server()
        await server.start()
        pool = HttpPool("127.0.0.1", server.port, None, most=2)
        for _ in range(3):
            _, response = await ask(pool)
            assert b"".join([chunk async for chunk in response.chunks(1)]) == b"ok"
        pool.close()
        await server.stop()
        return server.accepted

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(run()) == 1


async def test_nobody_listens(server: Server, pool: HttpPool):
    """A refused connection is an OSError, and takes up no place."""
    await server.stop()
    for _ in range(3):
        with pytest.raises(OSError, match=r"111|61|refused"):
            await pool.connection()


async def test_closing_ends_everything(server: Server, pool: HttpPool):
    """Idle or busy, no connection is left."""
    await ask(pool)
    server.may_answer.clear()
    busy = [asyncio.ensure_future(ask(pool)) for _ in range(2)]
    await eventually(lambda: server.accepted == 2)
    pool.close()
    results = await asyncio.gather(*busy, return_exceptions=True)
    assert all(isinstance(result, ConnectionError) for result in results)
    with pytest.raises(ConnectionError):
        await pool.connection()
    server.may_answer.set()
    await eventually(lambda: server.open == 0)
