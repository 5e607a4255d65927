"""One connection to a server: answers however they are split, and an end for everybody who waits."""

import asyncio
from collections.abc import Callable

import pytest

from gateway.proxy.http_connection import (
    MAX_HEAD_BYTES,
    MAX_HELD_BYTES,
    BrokenConnectionError,
    Response,
    ServerConnection,
)

REQUEST = b"POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n"
WITHOUT_REASON = b"HTTP/1.1 200\r\ncontent-length: 5\r\n\r\nhello"
AFTER_INTERIM = b"HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\nConnection: close\r\n\r\nhello"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhello"


class Wire(asyncio.Transport):
    """The transport of a connection whose other end is the test."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.is_aborted = False
        self.reading: list[str] = []

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Whether everything is sent at once is the test's to say."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep what was written."""
        self.sent += bytes(data)

    def abort(self) -> None:
        """Note it; the loop would call `connection_lost` soon."""
        self.is_aborted = True

    def pause_reading(self) -> None:
        """Note it."""
        self.reading.append("paused")

    def resume_reading(self) -> None:
        """Note it."""
        self.reading.append("resumed")


class Bench:
    """A connection, its wire, and what it told its owner."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.wire = Wire()
        self.connection = ServerConnection(lambda _: self.told.append("idle"), lambda _: self.told.append("closed"))
        self.connection.connection_made(self.wire)

    async def ask(self) -> "asyncio.Future[Response]":
        """Send a request; the answer to come."""
        asking = asyncio.ensure_future(self.connection.send(REQUEST))
        await asyncio.sleep(0)
        return asking


@pytest.fixture
async def bench() -> Bench:
    """A connection that is open and idle."""
    return Bench()


async def body_of(response: Response) -> bytes:
    """The whole body."""
    return b"".join([chunk async for chunk in response.chunks(1)])


@pytest.mark.parametrize("answer", [PLAIN, CHUNKED, WITHOUT_REASON, AFTER_INTERIM, CLOSING])
async def test_an_answer_is_the_same_however_it_is_split(answer: bytes):
    """Split at every position, the answer has one status, one set of headers and one body."""
    heads = set()
    for cut in range(len(answer) + 1):
        bench = Bench()
        asking = await bench.ask()
        for piece in (answer[:cut], answer[cut:]):
            if piece:
                bench.connection.data_received(piece)
        response = await asking
        heads.add((response.status, tuple(response.headers)))
        assert await body_of(response) == b"hello"
    assert len(heads) == 1
    assert heads.pop()[0] == 200


async def test_a_connection_is_idle_again_as_soon_as_its_answer_has_arrived(bench: Bench):
    """The next request need not wait until the last answer has been read."""
    first = await (await _answered(bench, PLAIN))
    second = await _answered(bench, PLAIN.replace(b"hello", b"again"))
    assert bench.told == ["idle", "idle"]
    assert [await body_of(first), await body_of(await second)] == [b"hello", b"again"]


async def _answered(bench: Bench, answer: bytes) -> "asyncio.Future[Response]":
    asking = await bench.ask()
    bench.connection.data_received(answer)
    return asking


@pytest.mark.parametrize("answer", [CLOSING, PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0")])
async def test_an_answer_that_says_close_ends_the_connection(bench: Bench, answer: bytes):
    """Any `close` counts, also beside a `keep-alive`, and HTTP/1.0 is `close` unless it says otherwise."""
    response = await (await _answered(bench, answer))
    assert await body_of(response) == b"hello"
    assert bench.wire.is_aborted
    assert bench.told == []


async def test_a_body_without_a_length_ends_with_the_connection(bench: Bench):
    """The server's end of sending is the body's end."""
    response = await (await _answered(bench, UNTIL_CLOSE))
    assert not response.is_complete
    bench.connection.eof_received()
    assert await body_of(response) == b"hello"


@pytest.mark.parametrize(("answer", "end"), [(PLAIN[:-1], "eof"), (CHUNKED[:-10], "eof"), (PLAIN[:-1], "reset")])
async def test_a_body_that_breaks_off_is_no_body(bench: Bench, answer: bytes, end: str):
    """What arrived is read first, then the reader is told."""
    response = await (await _answered(bench, answer))
    bench.connection.eof_received()
    bench.connection.connection_lost(ConnectionResetError() if end == "reset" else None)
    with pytest.raises(BrokenConnectionError):
        await body_of(response)
    assert bench.told == ["closed"]


@pytest.mark.parametrize("is_flushed", [True, False])
async def test_a_connection_that_breaks_says_whether_the_request_went_out(bench: Bench, is_flushed: bool):
    """A request that is partly still here cannot have run."""
    asking = await bench.ask()
    if not is_flushed:
        bench.connection.pause_writing()
    bench.connection.connection_lost(None)
    with pytest.raises(BrokenConnectionError) as caught:
        await asking
    assert caught.value.is_request_whole is is_flushed


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * (MAX_HEAD_BYTES + 1),
    ],
    ids=["another protocol", "two framings", "two lengths", "bare LF", "no HTTP", "endless head"],
)
async def test_what_is_no_usable_answer_ends_the_connection(bench: Bench, answer: bytes):
    """Whoever waits is told at once."""
    asking = await _answered(bench, answer)
    with pytest.raises(BrokenConnectionError):
        await asking
    assert bench.wire.is_aborted
    assert bench.told == []


@pytest.mark.parametrize("split", [True, False])
async def test_a_second_answer_to_one_request_is_never_somebody_elses(bench: Bench, split: bool):
    """What nobody asked for closes the connection before it could answer the next request."""
    if split:
        await (await _answered(bench, PLAIN))
        bench.connection.data_received(PLAIN)
    else:
        await (await _answered(bench, PLAIN + PLAIN))
    assert bench.wire.is_aborted
    with pytest.raises(BrokenConnectionError):
        await bench.connection.send(REQUEST)


async def test_an_answer_that_is_not_read_makes_the_server_wait(bench: Bench):
    """Little is held; reading on lets the server go on."""
    length = 4 * MAX_HELD_BYTES
    asking = await _answered(bench, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length)
    response = await asking
    for _ in range(2):
        bench.connection.data_received(b"x" * MAX_HELD_BYTES)
    assert bench.wire.reading == ["paused"]
    chunks = response.chunks(1)
    await anext(chunks)
    assert bench.wire.reading == ["paused", "resumed"]
    bench.connection.data_received(b"x" * (2 * MAX_HELD_BYTES))
    assert bench.wire.reading[-1] == "resumed", "a connection that is idle again reads on"
    assert bench.told == ["idle"]


def _close(bench: Bench, asking: "asyncio.Future[Response]") -> None:
    asking.result().close()


def _cancel(bench: Bench, asking: "asyncio.Future[Response]") -> None:
    asking.cancel()


@pytest.mark.parametrize(("arrived", "leave"), [(PLAIN[:-1], _close), (b"", _cancel)], ids=["closed", "cancelled"])
async def test_giving_up_on_an_answer_closes_the_connection(
    bench: Bench, arrived: bytes, leave: Callable[[Bench, "asyncio.Future[Response]"], None]
):
    """The server sees that nobody waits any longer."""
    asking = await _answered(bench, arrived)
    await asyncio.sleep(0)
    leave(bench, asking)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert bench.wire.is_aborted


async def test_silence_in_a_body_is_a_time_out(bench: Bench):
    """Each piece may take as long as was said, and no longer."""
    response = await (await _answered(bench, PLAIN[:-1]))
    with pytest.raises(TimeoutError):
        [chunk async for chunk in response.chunks(0)]
