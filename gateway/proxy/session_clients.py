"""Which program opened which legacy session, as it claimed, for the records of what is done in it. `record` asks."""

from typing import Final, Protocol

# A session beyond these is recorded without its program, which the record of its beginning still names.
MAX_SESSIONS: Final = 10_000
_LABEL_CHARACTERS: Final = 16


class Fingerprints(Protocol):
    """Makes keyed hashes."""

    def fingerprint(self, value: bytes) -> str:
        """A hash in hex."""
        ...


class SessionClients:
    """The sessions of this run, by a label that is no secret, which their ids are."""

    def __init__(self, fingerprints: Fingerprints) -> None:
        self._fingerprints = fingerprints
        self._clients: dict[str, str] = {}

    def of(self, session_id: str | None) -> tuple[str, str]:
        """The label of a session, and its program where that is known; both empty outside of one."""
        if session_id is None:
            return "", ""
        label = self._label(session_id)
        return label, self._clients.get(label, "")

    def opened(self, session_id: str, client: str) -> str:
        """A session has begun, opened by this program. Its label."""
        label = self._label(session_id)
        if client:
            self._clients[label] = client
        if len(self._clients) > MAX_SESSIONS:
            del self._clients[next(iter(self._clients))]
        return label

    def _label(self, session_id: str) -> str:
        return self._fingerprints.fingerprint(session_id.encode())[:_LABEL_CHARACTERS]
