"""The programs behind sessions, as they claim."""

import hashlib

import pytest

from gateway.proxy import session_clients
from gateway.proxy.session_clients import SessionClients


class Fingerprints:
    """Hashes that are not keyed."""

    def fingerprint(self, value: bytes) -> str:
        return hashlib.sha256(value).hexdigest()


def test_a_session_has_a_label_and_the_program_that_opened_it():
    """The label is short and always the same; nothing is known of a session that another run has seen."""
    clients = SessionClients(Fingerprints())
    label = clients.opened("id", "inspector 2.1")
    assert len(label) == 16
    assert clients.of("id") == (label, "inspector 2.1")
    assert clients.of("other")[1] == ""
    assert clients.of(None) == ("", "")


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch):
    """The oldest is forgotten, and sessions of programs without a name take no room."""
    monkeypatch.setattr(session_clients, "MAX_SESSIONS", 2)
    clients = SessionClients(Fingerprints())
    for id in ("a", "b", "c"):
        clients.opened(id, "x")
        clients.opened(f"nameless {id}", "")
    assert [clients.of(id)[1] for id in ("a", "b", "c")] == ["", "x", "x"]
