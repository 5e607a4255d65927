"""`gateway demo`, as a person starts it."""

import argparse
import contextlib
import signal
import subprocess
import sys
import urllib.request
from types import SimpleNamespace

import pytest

from gateway.cli import demo
from gateway.errors import GatewayError

RUN = "import sys; from gateway.cli.main import main; sys.exit(main({arguments}))"


def parse(*words):
    """The arguments of `gateway demo WORDS`."""
    parser = argparse.ArgumentParser()
    demo.add_parser(parser.add_subparsers())
    return parser.parse_args(["demo", *words])


@contextlib.contextmanager
def started(code):
    """A Python process that runs the code, killed at the end if it still runs."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    ("words", "served"),
    [
        ([], ("127.0.0.1", 9090, False)),
        (["--slow"], ("127.0.0.1", 9090, True)),
        (["--host", "::1", "--port", "0"], ("::1", 0, False)),
    ],
)
def test_alone_it_serves_where_the_real_server_would(words, served, monkeypatch):
    """Loopback, port 9090 and not slow, unless told otherwise."""
    calls = []
    monkeypatch.setattr("gateway.cli.extra.load", lambda *_: SimpleNamespace(serve=lambda *args: calls.append(args)))
    assert demo.run(parse(*words)) == 0
    assert calls == [served]


@pytest.mark.parametrize("words", [["--slow", "up"], ["up", "--slow"]])
def test_slow_is_slow_before_and_after_the_action(words):
    """The option means the same in both places."""
    assert parse(*words).slow is True
    assert parse("up").slow is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fly"], "invalid choice: 'fly'"),
        (["up", "--host", "::1"], "unrecognized arguments: --host"),
        (["up", "--port", "1"], "unrecognized arguments: --port"),
        (["tour", "--slow"], "unrecognized arguments: --slow"),
    ],
)
def test_what_an_action_would_ignore_is_refused(words, message, capsys):
    """Every action takes its own options and no other's."""
    with pytest.raises(SystemExit, match="2"):
        parse(*words)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--port=1", "up"], ["--host=::1", "tour"]])
def test_an_action_does_not_take_where_the_server_listens(words):
    """What would be ignored is refused, with the way to the action's own options."""
    with pytest.raises(GatewayError, match=f"gateway demo {words[1]} --help"):
        demo.run(parse(*words))


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_what_is_no_port_is_refused(port, capsys):
    """The error says which numbers are ports."""
    with pytest.raises(SystemExit):
        parse(f"--port={port}")
    assert f"'{port}' is no port; give a number from 0 to 65535" in capsys.readouterr().err


def test_one_line_says_where_it_listens_and_an_interrupt_ends_it():
    """The URL printed can be used at once; Ctrl-C is a normal end."""
    with started(RUN.format(arguments=["demo", "--port", "0", "--slow"])) as process:
        line = process.stdout.readline().strip()
        url = line.removeprefix("BinAssistMCP stand-in on ")
        with urllib.request.urlopen(url.replace("/mcp", "/debug/calls"), timeout=10) as answer:
            assert answer.read() == b"{}"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_without_the_sdk_the_extra_is_named():
    """Where the `demo` extra is missing, the error says how to install it."""
    code = "import sys; sys.modules['mcp'] = None; " + RUN.format(arguments=["demo"])
    with started(code) as process:
        _, err = process.communicate(timeout=10)
    assert process.returncode == 1
    assert "pip install 'mcp-policy-gateway[demo]', or in a checkout: pip install '.[demo]'" in err
    assert "Traceback" not in err
