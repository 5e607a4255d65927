"""The command line as a whole: dispatch, version, and errors without tracebacks."""

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


@pytest.mark.parametrize("command", ["serve", "check", "grant", "demo"])
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
