"""What a server's process is started with."""

from pathlib import Path

import pytest

from gateway.proxy.command import Command


def program(path: Path, mode: int = 0o755) -> Path:
    """A program that does nothing."""
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(mode)
    return path


def test_the_environment_holds_nothing_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What is named is inherited, what the configuration says goes before it, everything else stays here."""
    for name, value in {"PATH": "/bin", "LC_ALL": "C", "API_TOKEN": "secret", "PYTHONPATH": "x", "HOME": "/h"}.items():
        monkeypatch.setenv(name, value)
    environment = Command(("a",), {"HOME": "/other", "KEY": "1"}, tmp_path).environment
    assert (environment["PATH"], environment["LC_ALL"]) == ("/bin", "C")
    assert (environment["HOME"], environment["KEY"]) == ("/other", "1")
    assert not {"API_TOKEN", "PYTHONPATH"} & environment.keys()


def test_a_path_is_relative_to_the_folder(tmp_path: Path):
    """One that is absolute stays so."""
    here = program(tmp_path / "bin" / "server")
    assert Command(("./bin/server",), {}, tmp_path).program == str(here)
    assert Command(("bin/server",), {}, tmp_path).program == str(here)
    assert Command((str(here),), {}, Path("/")).program == str(here)
    assert Command(("server",), {}, tmp_path / "bin").program is None


def test_a_name_is_looked_up_in_the_path_of_the_process(tmp_path: Path):
    """The one that the configuration sets, where it does."""
    here = program(tmp_path / "bin" / "server")
    assert Command(("server", "x"), {"PATH": f"/nowhere:{tmp_path / 'bin'}"}, Path("/")).program == str(here)


@pytest.mark.parametrize("mode", [0o600, None])
def test_a_program_that_cannot_be_executed_is_none(tmp_path: Path, mode: int | None):
    """Nor is a folder, or nothing at all."""
    if mode is not None:
        program(tmp_path / "server", mode)
    assert Command(("./server",), {}, tmp_path).program is None
    assert Command(("./",), {}, tmp_path).program is None


def test_a_log_shows_neither_arguments_nor_variables(tmp_path: Path):
    """They may be credentials."""
    shown = repr(Command(("server", "--key=secret"), {"KEY": "secret"}, tmp_path))
    assert "secret" not in shown
    assert "server" in shown
