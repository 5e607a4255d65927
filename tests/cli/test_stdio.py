"""The pipe by itself. With a gateway at its end it is shown in tests/functional/test_stdio_process.py."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli.main import main

# The pipe between its standard streams and the socket that it is given as a descriptor.
PIPE = """
import socket, sys
from gateway.cli import stdio
sys.exit(stdio._pipe(socket.socket(fileno=int(sys.argv[1]))))
"""


def piped(ours: socket.socket, theirs: socket.socket, stdin: int = subprocess.PIPE) -> "subprocess.Popen[bytes]":
    """A process that is such a pipe; only our end of the socket is left here."""
    process = subprocess.Popen(
        [sys.executable, "-c", PIPE, str(theirs.fileno())],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    ours.settimeout(20)
    return process


def test_both_directions_are_copied_and_the_agents_end_is_passed_on():
    """The gateway sees the end, and what it has still to say arrives; then the command ends well."""
    ours, theirs = socket.socketpair()
    with ours, piped(ours, theirs) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"question\n")
        process.stdin.close()
        assert (ours.recv(100), ours.recv(100)) == (b"question\n", b"")
        ours.sendall(b"answer\n" * 5_000)
        ours.close()
        assert process.stdout.read() == b"answer\n" * 5_000
        assert (process.wait(20), process.stderr.read()) == (0, b"")


def test_the_gateways_end_is_told():
    """On standard error, with exit code 1, though the agent would have gone on."""
    ours, theirs = socket.socketpair()
    with ours, piped(ours, theirs) as process:
        assert process.stdout
        assert process.stderr
        ours.close()
        assert (process.stdout.read(), process.wait(20)) == (b"", 1)
        assert process.stderr.read().startswith(b"the gateway has ended the session; ")


def test_an_agent_that_does_not_listen_any_more_ends_it_quietly():
    """Nobody is there to be told."""
    ours, theirs = socket.socketpair()
    with ours, piped(ours, theirs) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        ours.sendall(b"x")
        assert (process.wait(20), process.stderr.read()) == (0, b"")


def test_an_agent_that_cannot_be_read_from_has_ended():
    """As one that closes its end has: what is for writing alone stands for whatever gives an error."""
    ours, theirs = socket.socketpair()
    with ours, Path(os.devnull).open("wb") as unreadable, piped(ours, theirs, stdin=unreadable.fileno()) as process:
        assert ours.recv(100) == b""
        ours.close()
        assert process.wait(20) == 0


@pytest.mark.parametrize(("redirection", "stream"), [("<&-", "input"), (">&-", "output")])
def test_a_closed_stream_is_an_error(redirection: str, stream: str):
    """Or the connection to the gateway would get its number, and hear itself."""
    command = f'exec "$0" -m gateway stdio --config nothing.yaml --grant a {redirection}'
    ended = subprocess.run(["sh", "-c", command, sys.executable], stderr=subprocess.PIPE, timeout=30, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"standard {stream} is closed; ".encode())


def test_help_says_what_it_is(capsys: pytest.CaptureFixture[str]):
    """Both arguments are explained, and needed."""
    with pytest.raises(SystemExit, match="0"):
        main(["stdio", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert "--grant LABEL who the agent is: a label under `grants`" in text
    with pytest.raises(SystemExit, match="2"):
        main(["stdio"])
    assert "--config, --grant" in capsys.readouterr().err


def test_a_missing_configuration_is_named():
    """At once, and without a traceback."""
    command = [sys.executable, "-m", "gateway", "stdio", "--config", "nothing.yaml", "--grant", "a"]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=30, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "nothing.yaml" in ended.stderr
    assert "Traceback" not in ended.stderr
