"""Tells the answer to one request from everything else that a server may send for it: another's answer, a second one.

`transfer` asks before anything is passed on. What the answer says is for the filters of answers, not for this.
"""

import logging
from typing import Final, Literal

import msgspec

from gateway.mcp import sse
from gateway.mcp.message import MessageId
from gateway.proxy.upstream import Failure, UpstreamError

logger = logging.getLogger(__name__)

_OBJECT: Final = b"{"
# Some servers send the other of the two as null.
_NOTHING: Final = (b"", b"null")


class _Envelope(msgspec.Struct, frozen=True):
    """A JSON-RPC message from outside; what it carries is not built."""

    jsonrpc: Literal["2.0"]
    id: int | str | None = None
    method: str | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()

    @property
    def carried(self) -> list[bytes]:
        """How the result and the error that it carries begin: a well-made answer has one of them."""
        starts = [bytes(memoryview(part)[:4]) for part in (self.result, self.error)]
        return [start for start in starts if start not in _NOTHING]

    @property
    def is_answer(self) -> bool:
        """Whether it carries either a result or an error, an object, as every answer does."""
        return self.method is None and len(self.carried) == 1 and self.carried[0].startswith(_OBJECT)


_DECODER: Final = msgspec.json.Decoder(_Envelope)


class AwaitedAnswer:
    """The answer to one request: not yet come, or come."""

    def __init__(self, id: MessageId) -> None:
        self._id = id
        self._has_come = False
        self._has_dropped = False

    def check_body(self, body: bytes) -> None:
        """A whole JSON body has to be the answer. Raises `UpstreamError`."""
        envelope = _read(body)
        if not envelope.is_answer:
            raise _broken("The server sent something else than an answer; the call may have run.")
        if not self._is_ours(envelope):
            raise _broken("The server sent the answer to another request; the call may have run.")

    def takes(self, event: bytes) -> bool:
        """Whether an event of the answer's stream may be passed on.

        The server's own requests and notifications may, and the answer, once. Raises `UpstreamError` for a message
        that cannot be read. Events of other kinds, which no agent takes for a message, pass.
        """
        data = sse.event_data(event)
        if not data or sse.event_name(event) != sse.MESSAGE:
            return True
        envelope = _read(data)
        if envelope.method is not None and not envelope.carried:
            return True
        if not envelope.is_answer:
            raise _broken("The server sent something that is no message; the call may have run.")
        if self._has_come or not self._is_ours(envelope):
            # Once, so that no server sets the rate of our log.
            if not self._has_dropped:
                logger.warning("dropped from a server's stream: an answer that nobody awaits")
            self._has_dropped = True
            return False
        self._has_come = True
        return True

    def check_end(self) -> None:
        """The stream has ended. Raises `UpstreamError` where only other answers have come.

        Without any it may go on elsewhere (2025-11-25 transports, "Resumability").
        """
        if self._has_dropped and not self._has_come:
            raise _broken("The server sent only answers to other requests; the call may have run.")

    def _is_ours(self, envelope: _Envelope) -> bool:
        # 1 and "1" are two ids.
        return type(envelope.id) is type(self._id) and envelope.id == self._id


def _read(data: bytes) -> _Envelope:
    try:
        return _DECODER.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise _broken("The server sent an answer that cannot be read; the call may have run.") from None


def _broken(message: str) -> UpstreamError:
    return UpstreamError(Failure.BROKEN, message, may_have_run=True)
