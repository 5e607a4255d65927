"""Which changes of lists a server has said it announces: in the result of `initialize`, or to `subscriptions/listen`.

Only those may the gateway announce in its stead. Answers are looked at here on their way and never changed.
"""

import collections
from collections.abc import Callable
from typing import Any, Final

import orjson

LISTS: Final = ("tools", "resources", "prompts")

MAX_SESSIONS: Final = 10_000

_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"


class Announced:
    """What was promised in each legacy session, the latest `MAX_SESSIONS` of them. A restart forgets it."""

    def __init__(self) -> None:
        self._lists: collections.OrderedDict[tuple[str, str], tuple[str, ...]] = collections.OrderedDict()

    def in_session(self, server: str, session_id: str) -> tuple[str, ...]:
        """The lists whose changes are announced in a session, by the server's own id of it."""
        return self._lists.get((server, session_id), ())

    def handshake(self, server: str) -> "Handshake":
        """Learns from one answer to `initialize`."""
        return Handshake(lambda session_id, lists: self._learn(server, session_id, lists))

    def _learn(self, server: str, session_id: str, lists: tuple[str, ...]) -> None:
        self._lists[server, session_id] = lists
        while len(self._lists) > MAX_SESSIONS:
            self._lists.popitem(last=False)


class Handshake:
    """One answer to `initialize`."""

    def __init__(self, learn: Callable[[str, tuple[str, ...]], None]) -> None:
        self._learn = learn
        self._session_id: str | None = None

    def opening(self, seal: Callable[[str], str]) -> Callable[[str], str]:
        """`seal`, which is given the server's name for the session before `read` is given its result."""

        def noted(session_id: str) -> str:
            self._session_id = session_id
            return seal(session_id)

        return noted

    def read(self, data: bytes) -> None:
        """A message of the answer."""
        result = _read(data).get("result")
        if self._session_id is not None and isinstance(result, dict):
            self._learn(self._session_id, declared_lists(result))


class Subscription:
    """One stream that an agent of 2026-07-28 asked for with `subscriptions/listen`."""

    def __init__(self) -> None:
        self.lists: tuple[str, ...] = ()
        """What the server has agreed to announce on it, once it has said so."""

    def read(self, data: bytes) -> None:
        """A message of the stream."""
        message = _read(data)
        if message.get("method") != _ACKNOWLEDGED:
            return
        params = message.get("params")
        agreed = params.get("notifications") if isinstance(params, dict) else None
        if isinstance(agreed, dict):
            self.lists = tuple(name for name in LISTS if agreed.get(f"{name}ListChanged") is True)


def declared_lists(result: dict[str, Any]) -> tuple[str, ...]:
    """The lists whose changes the result of `initialize` says will be announced."""
    capabilities = result.get("capabilities")
    if not isinstance(capabilities, dict):
        return ()
    return tuple(name for name in LISTS if _is_announced(capabilities.get(name)))


def _is_announced(capability: object) -> bool:
    return isinstance(capability, dict) and capability.get("listChanged") is True


def _read(data: bytes) -> dict[str, Any]:
    """One message; empty for what is none, which is for the agent to make something of."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return message if isinstance(message, dict) else {}
