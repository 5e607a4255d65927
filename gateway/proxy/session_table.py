"""The sessions that are open at a server: how many there may be, and how long each may be idle."""

import asyncio
from typing import Final, Generic, Protocol, TypeVar

from gateway.proxy.upstream import Failure, UpstreamError

IDLE_S: Final = 1800.0


class Idling(Protocol):
    """What the table needs to know of a session."""

    @property
    def id(self) -> str:
        """Never given to two."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether somebody waits for something: then it does not end for being idle."""
        ...

    def close(self) -> None:
        """End it, which takes it out of the table."""
        ...


S = TypeVar("S", bound=Idling)


class SessionTable(Generic[S]):
    """The sessions of one server. Each holds something open, so when there are `most`, the longest idle ends."""

    def __init__(self, server: str, most: int) -> None:
        self.most = most
        self.idle_s = IDLE_S
        self._server = server
        self._sessions: dict[str, S] = {}
        """By id, the one used longest ago first."""
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def get(self, id: str) -> S | None:
        """The session with this id, if it is open."""
        return self._sessions.get(id)

    def make_room(self) -> None:
        """See that there is room for one more. Raises `UpstreamError` when every session is in use."""
        if len(self._sessions) < self.most:
            return
        idle = next((session for session in self._sessions.values() if not session.is_busy), None)
        if idle is None:
            text = f"The server {self._server} has {self.most} sessions already, so the call was not run."
            raise UpstreamError(Failure.DOWN, text, may_have_run=False)
        idle.close()

    def used(self, session: S) -> None:
        """Keep the session, which from here on may be idle for `idle_s`."""
        self.forget(session.id)
        self._sessions[session.id] = session
        self._timers[session.id] = asyncio.get_running_loop().call_later(self.idle_s, self._expire, session)

    def forget(self, id: str) -> None:
        """The session has ended."""
        self._sessions.pop(id, None)
        if timer := self._timers.pop(id, None):
            timer.cancel()

    def close(self) -> None:
        """End every session."""
        for session in list(self._sessions.values()):
            session.close()

    def _expire(self, session: S) -> None:
        if session.is_busy:
            self.used(session)
        else:
            session.close()
