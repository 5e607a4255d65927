"""The gateway's end of the socket for `gateway stdio`: who may connect, as which grant, and whether anybody does.

It reads one line, the greeting, and leaves the rest to `stdio_downstream`.
"""

import asyncio
import logging
import os
import socket
from pathlib import Path
from typing import Final

import msgspec

from gateway import stdio_socket
from gateway.errors import GatewayError
from gateway.proxy import sink
from gateway.proxy.identity import Identity
from gateway.proxy.stdio_downstream import StdioDownstream
from gateway.stdio_socket import Hello, Welcome
from gateway.tasks import Tasks

logger = logging.getLogger(__name__)

GREETING_TIMEOUT_S: Final = 10.0


class StdioListener:
    """Takes connections, once started."""

    def __init__(self, state_dir: Path, identity: Identity, downstream: StdioDownstream) -> None:
        """The state directory must be this process's own."""
        self._state_dir = state_dir
        self._identity = identity
        self._downstream = downstream
        self._connections = Tasks()
        self._arrival = asyncio.Event()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises `StateError` when the socket cannot be made."""
        self._server = await asyncio.start_unix_server(self._connected, sock=stdio_socket.listen(self._state_dir))

    def stop(self) -> None:
        """Take no more connections; those that are open go on."""
        if self._server is not None:
            stdio_socket.remove(self._state_dir)
            self._server.close()
            self._server = None

    async def close(self) -> None:
        """End what is still open."""
        await self._connections.close()

    async def unused(self, seconds: float) -> None:
        """Wait until nobody has been connected for so long."""
        while True:
            while len(self._connections):
                await self._connections.finished()
            self._arrival.clear()
            try:
                async with asyncio.timeout(seconds):
                    await self._arrival.wait()
            except TimeoutError:
                return

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._arrival.set()
        self._connections.spawn(self._run(reader, writer), "conversation over stdio")

    async def _run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, from its greeting to its end."""
        try:
            async with asyncio.timeout(GREETING_TIMEOUT_S):
                grant = self._identity.named((await _hello(reader, writer)).grant)
            if self._server is None:
                # Without a word, so that the command looks for the next gateway.
                return
            await self._downstream.run(reader, writer, grant)
        except GatewayError as error:
            logger.warning("a connection over stdio was refused: %s", error)
            writer.write(stdio_socket.encode(Welcome(error=str(error))))
        except TimeoutError:
            logger.info("a connection over stdio ended: its grant did, or it never said which it wants")
        except ConnectionError as error:
            logger.info("a connection over stdio ended: %s", error)
        finally:
            await _close(writer)


async def _hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Hello:
    """The greeting. Raises `GatewayError` for one that is none, or from another user."""
    _check_user(writer)
    try:
        return msgspec.json.decode(await reader.readuntil(b"\n"), type=Hello)
    except asyncio.IncompleteReadError:
        raise ConnectionResetError("it was closed without a greeting") from None
    except (asyncio.LimitOverrunError, msgspec.MsgspecError):
        raise GatewayError("the greeting cannot be read; both ends must be of the same version") from None


def _check_user(writer: asyncio.StreamWriter) -> None:
    """Raises `GatewayError` unless the other end belongs to the gateway's own user."""
    connection: socket.socket = writer.get_extra_info("socket")
    # The loop's own object lends the descriptor alone; a copy of it is closed with this block.
    with socket.socket(fileno=os.dup(connection.fileno())) as descriptor:
        if stdio_socket.peer_uid(descriptor) != os.geteuid():
            raise GatewayError("the gateway belongs to another user")


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection, once the other end has taken what was written for it, or has had its time."""
    writer.close()
    try:
        async with asyncio.timeout(sink.WRITE_TIMEOUT_S):
            await writer.wait_closed()
    except (ConnectionError, TimeoutError) as error:
        logger.debug("a connection over stdio was not closed in good order: %s", error)
    finally:
        writer.transport.abort()
