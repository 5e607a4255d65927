"""One session of an older revision on a server that speaks over stdio: the process is its own.

`stdio_upstream` opens sessions and ends them; `server_process` is what they speak through.
"""

from collections.abc import Callable
from typing import Any

from gateway.mcp.message import Request
from gateway.proxy.server_process import ServerProcess
from gateway.proxy.server_session import ServerSession
from gateway.proxy.upstream import Failure, UpstreamError


class StdioSession(ServerSession):
    """One session, for as long as its process says anything."""

    def __init__(self, id: str, process: ServerProcess, closed: Callable[[str], None]) -> None:
        """`process` is started by whoever made both, and its messages come to `take`."""
        super().__init__(id, closed)
        self.process = process

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for something, the start of the process included."""
        return super().is_busy or self.process.is_starting

    async def take(self, message: dict[str, Any], data: bytes) -> None:
        """A message of the process's. Once the session has ended, nobody is there to hear it."""
        if self.is_open:
            await self.sort(message, data)

    def given_up(self, request: Request) -> None:
        """A handshake that is not answered ends the session; of other requests the relay tells the server."""
        if request.method == "initialize":
            self.process.fail()
            self.close()

    def ended(self, request: Request) -> UpstreamError:
        """A process that ends before the handshake was none that could be started."""
        if request.method == "initialize":
            text = "The server's process ended before a session was open."
            return UpstreamError(Failure.DOWN, text, may_have_run=False)
        return self.process.broken()

    def let_go(self) -> None:
        """End the process."""
        self.process.end()
