"""Finding the gateway of a state directory. Starting one is shown in tests/functional/test_stdio_process.py."""

import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway import stdio_socket
from gateway.cli import gateway_for
from gateway.config import Config, load_config
from gateway.errors import GatewayError
from gateway.lock import Lock
from tests.support.gateways import ALLOW_ALL, write_config


@pytest.fixture
def config_path(tmp_path: Path) -> Path:
    """A configuration whose server nobody needs."""
    return write_config(tmp_path, "http://127.0.0.1:1/mcp", {"seed": ALLOW_ALL})


@pytest.fixture
def config(config_path: Path) -> Config:
    """The same, read; its state directory is there."""
    config = load_config(config_path)
    config.state_dir.mkdir(mode=0o700)
    return config


def answering(config: Config, *answers: bytes) -> Callable[[], None]:
    """A gateway that answers each greeting with the next of these and closes; what is returned waits for its end."""
    listening = stdio_socket.listen(config.state_dir)
    listening.setblocking(True)

    def serve() -> None:
        with listening:
            for answer in answers:
                connection, _ = listening.accept()
                with connection, connection.makefile("rb") as lines:
                    assert lines.readline() == b'{"grant":"seed"}\n'
                    connection.sendall(answer)
                    if answer.startswith(b'{"error":""}'):
                        assert lines.readline() == b"hello\n"

    thread = threading.Thread(target=serve)
    thread.start()
    return thread.join


def test_the_connection_begins_after_the_greeting(config: Config, config_path: Path):
    """What the gateway says right after it is still there to read, and waiting for more has no end."""
    wait = answering(config, b'{"error":""}\n{"first":1}\n')
    with gateway_for.gateway_for(config, config_path, "seed") as connection:
        assert connection.gettimeout() is None
        assert connection.recv(100) == b'{"first":1}\n'
        connection.sendall(b"hello\n")
    wait()


def test_a_refusal_is_an_error(config: Config, config_path: Path):
    """In the gateway's own words; nothing is started."""
    wait = answering(config, b'{"error":"go away"}\n')
    with pytest.raises(GatewayError, match=r"^go away$"):
        gateway_for.gateway_for(config, config_path, "seed")
    wait()
    assert not (config.state_dir / "stdio.log").exists()


def test_a_gateway_that_is_about_to_end_is_not_the_last_word(config: Config, config_path: Path):
    """One that closes without an answer is asked again, while another command sees to starting the next."""
    starting = Lock.take(config.state_dir / "stdio.lock")
    wait = answering(config, b"", b"", b'{"error":""}\n')
    with gateway_for.gateway_for(config, config_path, "seed") as connection:
        connection.sendall(b"hello\n")
    wait()
    starting.release()


def test_a_start_that_finds_the_state_in_use_is_no_failure(
    config: Config, config_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Another gateway was faster and has no socket yet: it is looked for again."""

    class Gone:
        """A process that has ended."""

        def poll(self) -> int:
            """Its exit code."""
            return stdio_socket.IN_USE

    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: Gone())
    wait = answering(config, b"", b"", b"", b"", b'{"error":""}\n')
    with gateway_for.gateway_for(config, config_path, "seed") as connection:
        connection.sendall(b"hello\n")
    wait()


def test_waiting_has_an_end(config: Config, config_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where another command starts one and it never comes up, the error says where to look."""
    monkeypatch.setattr(gateway_for, "_START_POLLS", 2)
    starting = Lock.take(config.state_dir / "stdio.lock")
    with pytest.raises(GatewayError, match=r"no gateway came up within 0\.1 s; see .*stdio\.log"):
        gateway_for.gateway_for(config, config_path, "seed")
    starting.release()


def test_a_gateway_that_does_not_answer_is_an_error(config: Config, config_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A process that hangs hangs nobody else."""
    monkeypatch.setattr(gateway_for, "_GREETING_TIMEOUT_S", 0.05)
    with (
        stdio_socket.listen(config.state_dir),
        pytest.raises(GatewayError, match=r"the gateway did not answer within 0\.05 s"),
    ):
        gateway_for.gateway_for(config, config_path, "seed")


@pytest.mark.parametrize("make", [Path.mkdir, lambda log: log.symlink_to("elsewhere")], ids=["directory", "link"])
def test_a_log_that_cannot_be_written_is_an_error(config: Config, config_path: Path, make: Callable[[Path], None]):
    """The path says what to take away; nothing is written through a link."""
    make(config.state_dir / "stdio.log")
    with pytest.raises(GatewayError, match=r"no gateway can be started: .*stdio\.log: .*must be a plain file"):
        gateway_for.gateway_for(config, config_path, "seed")
    assert not (config.state_dir / "elsewhere").exists()


def test_a_label_that_is_no_text_is_an_error(config: Config, config_path: Path):
    """Arguments may be any bytes; labels are not."""
    with stdio_socket.listen(config.state_dir), pytest.raises(GatewayError, match=r"no grant has the label '\\udcff'"):
        gateway_for.gateway_for(config, config_path, "\udcff")


def test_what_comes_after_the_line_is_left(tmp_path: Path):
    """The greeting is read to its end and not a byte further."""
    one, two = socket.socketpair()
    with one, two:
        one.sendall(b"line\nrest")
        assert gateway_for._line(two) == b"line\n"
        assert two.recv(10) == b"rest"
