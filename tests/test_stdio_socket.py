"""The socket in the state directory: whose it is, where it is, and what stands in its way."""

import os
import socket
from pathlib import Path

import msgspec
import pytest

from gateway import stdio_socket
from gateway.errors import GatewayError, StateError
from gateway.stdio_socket import Hello, Welcome


@pytest.fixture(params=["short", "long"])
def directory(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A state directory, whose path may be longer than a socket's address."""
    path = tmp_path if request.param == "short" else tmp_path / ("x" * 120)
    path.mkdir(exist_ok=True)
    return path


def test_both_ends_meet_in_the_state_directory(directory: Path):
    """However long its path; the file is its user's alone, and the user at the other end is known."""
    with stdio_socket.listen(directory) as listening:
        assert (directory / "stdio.sock").stat().st_mode & 0o777 == 0o600
        connection = stdio_socket.connect(directory)
        assert connection is not None
        accepted, _ = listening.accept()
        assert stdio_socket.peer_uid(accepted) == stdio_socket.peer_uid(connection) == os.geteuid()
        connection.close()
        accepted.close()


def test_without_a_gateway_there_is_no_connection(directory: Path):
    """Neither where no socket is, nor at one that a dead gateway left; the next gateway takes its place."""
    assert stdio_socket.connect(directory) is None
    stdio_socket.listen(directory).close()
    assert (directory / "stdio.sock").exists()
    assert stdio_socket.connect(directory) is None
    stdio_socket.listen(directory).close()
    stdio_socket.remove(directory)
    stdio_socket.remove(directory)
    assert not (directory / "stdio.sock").exists()


def test_what_cannot_be_used_is_named(tmp_path: Path):
    """Something else in its place is told by its path."""
    (tmp_path / "stdio.sock").mkdir()
    with pytest.raises(StateError, match=r"stdio\.sock: cannot be made: Is a directory"):
        stdio_socket.listen(tmp_path)
    datagrams = tmp_path / "other"
    datagrams.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(datagrams / "stdio.sock"))
        with pytest.raises(GatewayError, match=r"stdio\.sock: cannot be connected to"):
            stdio_socket.connect(datagrams)


def test_a_path_that_no_way_leads_round_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where there is no /proc the state directory must have a shorter path, and the error says so."""
    monkeypatch.setattr(Path, "is_dir", lambda _: False)
    with pytest.raises(StateError, match="give state_dir a shorter path"):
        stdio_socket.listen(tmp_path / ("x" * 120))


def test_a_gateway_that_takes_nobody_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """One that hangs, with a full backlog, hangs nobody else."""
    monkeypatch.setattr(stdio_socket, "CONNECT_TIMEOUT_S", 1)
    monkeypatch.setattr(stdio_socket, "_BACKLOG", 0)
    with stdio_socket.listen(tmp_path):
        first = stdio_socket.connect(tmp_path)
        assert first is not None
        with first, pytest.raises(GatewayError, match=r"stdio\.sock: cannot be connected to: "):
            stdio_socket.connect(tmp_path)


def test_who_is_no_peer_has_no_user():
    """Nobody is let in whom the system does not vouch for."""
    with socket.socket() as unconnected:
        unconnected.close()
        assert stdio_socket.peer_uid(unconnected) is None


@pytest.mark.parametrize("greeting", [Hello("alice \n"), Welcome(), Welcome(error="no")])
def test_a_greeting_is_one_line(greeting: Hello | Welcome):
    """And reads as it was written."""
    line = stdio_socket.encode(greeting)
    assert line.count(b"\n") == 1
    assert msgspec.json.decode(line, type=type(greeting)) == greeting
