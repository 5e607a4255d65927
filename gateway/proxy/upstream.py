"""What the way to an MCP server promises, whatever the transport: answers, and failures told apart by what they mean.

What matters about a failure is whether the call may have run: only one that cannot have is given back. The ways are
`http_upstream`, `sse_upstream` and `stdio_upstream`; the relay knows this alone.
"""

import abc
import enum
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from multidict import CIMultiDict

from gateway.errors import GatewayError


class Failure(enum.Enum):
    """Why there is no answer from the server; the value is the rule's name in decisions and records."""

    DOWN = "(upstream down)"
    TIMEOUT = "(upstream timeout)"
    BROKEN = "(upstream broken)"
    """The connection broke, or what came back is no answer that can be passed on."""
    STOPPING = "(gateway stopping)"
    """The gateway stops, and cannot wait for the answer any longer."""


class UpstreamError(GatewayError):
    """The server's side failed. `may_have_run` is False only where the request cannot have reached it whole."""

    def __init__(self, failure: Failure, message: str, *, may_have_run: bool) -> None:
        super().__init__(message)
        self.failure = failure
        self.may_have_run = may_have_run


class Answer:
    """The server's answer: status and headers are here, the body streams in."""

    def __init__(
        self,
        status: int,
        headers: Iterable[tuple[str, str]],
        chunks: Callable[[], AsyncIterator[bytes]],
        close: Callable[[], None],
        content_length: int | None = None,
    ) -> None:
        """`chunks` gives the body, or what is left of it; `close` lets go of what it comes from."""
        self.status = status
        self.headers = list(headers)
        self.content_length = content_length
        self._fields = CIMultiDict(self.headers)
        self._chunks = chunks
        self._close = close

    @property
    def media_type(self) -> str:
        """The media type, lower case and without parameters; empty when the server named none."""
        return self._fields.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def has_one_media_type(self) -> bool:
        """Whether the server said what the body is, and said it once."""
        return len(self._fields.getall("Content-Type", [])) == 1

    @property
    def session_ids(self) -> list[str]:
        """What the server sent as `Mcp-Session-Id`: at most one, from a server that keeps to the protocol."""
        return self._fields.getall("Mcp-Session-Id", [])

    @property
    def is_encoded(self) -> bool:
        """Whether the body is compressed, which we never ask for."""
        return self._fields.get("Content-Encoding", "identity").lower() != "identity"

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives, never gathered; again, what is left of it. Raises `UpstreamError`."""
        return self._chunks()

    async def read(self, limit: int) -> bytes:
        """The whole body. Raises `UpstreamError`, also when it is longer than `limit` bytes."""
        body = bytearray()
        async for chunk in self.chunks():
            body += chunk
            if len(body) > limit:
                raise UpstreamError(Failure.BROKEN, f"The answer is longer than {limit} bytes.", may_have_run=True)
        return bytes(body)

    def close(self) -> None:
        """Let go of the connection. Unless the body was read to its end this closes it, which the server sees."""
        self._close()


class Upstream(abc.ABC):
    """One MCP server."""

    def __init__(self, name: str, timeout_s: float, tool_timeouts_s: Mapping[str, float]) -> None:
        """`timeout_s` is the longest wait for a piece of an answer; `tool_timeouts_s` replaces it for some tools."""
        self.name = name
        self.timeout_s = timeout_s
        self.tool_timeouts_s = tool_timeouts_s

    @property
    def sessions(self) -> int:
        """How many sessions on the server are kept here: none, where the server keeps its own."""
        return 0

    @property
    def is_given_up(self) -> bool:
        """Whether calls fail at once for now, because those before have failed."""
        return False

    @abc.abstractmethod
    def open(self) -> None:
        """Get ready; needs a running loop. Nothing is sent yet."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Let go of everything that is held at the server."""

    @abc.abstractmethod
    async def is_reachable(self) -> bool:
        """Whether a call now has a chance. Nothing is sent to find out."""

    @abc.abstractmethod
    async def send(
        self,
        method: str,
        headers: list[tuple[str, str]],
        body: bytes | None,
        *,
        grant: str,
        timeout_s: float | None,
        is_repeatable: bool = False,
        is_listening: bool = False,
    ) -> Answer:
        """Send one HTTP request for a grant, or what comes to the same, until an answer begins. Raises `UpstreamError`.

        Waits at most `timeout_s` for each piece of the answer, None for ever. Only what is repeatable may be sent a
        second time. Where the server cannot tell agents apart, those of two grants never share anything.
        """
