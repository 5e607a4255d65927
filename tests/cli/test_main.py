"""The command line as a whole: dispatch, version, and errors without tracebacks."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import __version__
from gateway.cli import check
from gateway.cli.main import main
from gateway.errors import GatewayError


def test_a_subcommand_is_run_and_gives_the_exit_code(monkeypatch):
    """The arguments reach the subcommand's module, and its result is the exit code."""
    monkeypatch.setattr(check, "run", lambda args: len(args.files))
    assert main(["check", "a", "b", "c"]) == 3


def test_an_error_is_told_without_a_traceback(monkeypatch, capsys):
    """A GatewayError becomes text on stderr and exit code 1."""

    def fail(args):
        raise GatewayError("the state directory is in use")

    monkeypatch.setattr(check, "run", fail)
    assert main(["check", "a"]) == 1
    assert capsys.readouterr() == ("", "the state directory is in use\n")


@pytest.mark.parametrize("arguments", [[], ["chekc"], ["check"], ["grant", "new"]])
def test_wrong_usage_exits_with_2(arguments, capsys):
    """argparse explains wrong usage on stderr."""
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: gateway" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "stdio", "check", "grant", "approvals", "admin", "demo"])
def test_every_subcommand_explains_itself(command, capsys):
    """`gateway COMMAND --help` works for every subcommand."""
    with pytest.raises(SystemExit, match="0"):
        main([command, "--help"])
    assert f"usage: gateway {command}" in capsys.readouterr().out


def test_the_module_is_the_command():
    """`python -m gateway --version` prints the version."""
    command = [sys.executable, "-m", "gateway", "--version"]
    done = subprocess.check_output(command, text=True, cwd=Path(__file__).parents[2])
    assert done == f"gateway {__version__}\n"


def test_who_reads_no_further_ends_the_command_quietly():
    """As with `gateway catalog list | head -1`: no traceback, and the exit code of a closed pipe."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "gateway", "catalog", "list", "--json"]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=root, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


WITHOUT_CORE = """
import sys
from gateway.cli.main import main
sys.modules["gateway._fastpath"] = None
sys.exit(main(sys.argv[1:]))
"""


def without_core(*arguments):
    """Run a command where the extension was not built."""
    command = [sys.executable, "-c", WITHOUT_CORE, *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "GATEWAY_NO_EXTENSIONS"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--help"], ["check", "a"], ["demo"]])
def test_a_missing_core_is_told_in_a_line(arguments):
    """A command that needs the core says how to get it, without a traceback."""
    ended = without_core(*arguments)
    assert (ended.returncode, ended.stdout) == (1, "")
    (line,) = ended.stderr.splitlines()
    assert "make build" in line
    assert "GATEWAY_NO_EXTENSIONS=1" in line


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["grant", "new", "alice"]])
def test_what_needs_no_core_works_without(arguments):
    """Help, the version and new tokens can be had from a package that was not built."""
    ended = without_core(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_help_names_every_command(capsys):
    """`gateway --help` says in a line what each subcommand is for."""
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    shown = capsys.readouterr().out
    for summary in ("run the gateway", "connect one agent", "check policies", "make tokens", "run a stand-in"):
        assert summary in shown


def test_an_interrupt_is_no_traceback(monkeypatch):
    """Ctrl-C gives the exit code that shells give it."""

    def interrupt(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(check, "run", interrupt)
    assert main(["check", "a"]) == 130
