"""`gateway demo`, as a person starts it."""

import argparse
import contextlib
import signal
import subprocess
import sys
import urllib.request

import pytest

from gateway.cli import demo

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


def test_what_is_left_out_has_the_defaults_of_the_real_server():
    """Loopback, port 9090, not slow; `serve` is the action that goes without saying."""
    args = parse()
    assert (args.action, args.host, args.port, args.slow) == ("serve", "127.0.0.1", 9090, False)
    assert vars(parse("serve")) == vars(args)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fly"], "invalid choice: 'fly'"),
        (["up", "--host", "::1"], "unrecognized arguments: --host"),
        (["up", "--port", "1"], "unrecognized arguments: --port"),
        (["--port=1", "up"], "unrecognized arguments: --port=1"),
        (["serve", "--directory", "d"], "unrecognized arguments: --directory"),
        (["tour", "--slow"], "unrecognized arguments: --slow"),
    ],
)
def test_what_an_action_would_ignore_is_refused(words, message, capsys):
    """Every action takes its own options and no other's."""
    with pytest.raises(SystemExit, match="2"):
        parse(*words)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("port", ["70000", "-1", "http"])
def test_what_is_no_port_is_refused(port, capsys):
    """The error says which numbers are ports."""
    with pytest.raises(SystemExit):
        parse("serve", f"--port={port}")
    assert f"'{port}' is no port; give a number from 0 to 65535" in capsys.readouterr().err


def test_one_line_says_where_it_listens_and_an_interrupt_ends_it():
    """The URL printed can be used at once; Ctrl-C is a normal end."""
    with started(RUN.format(arguments=["demo", "serve", "--port", "0", "--slow"])) as process:
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
