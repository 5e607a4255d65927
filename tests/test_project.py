"""What the project's files promise each other: versions are pinned, the command exists, no host is named."""

import importlib
import re
import tomllib
from fnmatch import fnmatch
from itertools import chain
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINNED = [ROOT / "constraints.txt", *sorted((ROOT / "tests" / "clients").glob("*.txt"))]


def normalised(name: str) -> str:
    """The form in which two spellings of one distribution's name are equal (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(path: Path) -> dict[str, str]:
    """Name to version, of a file in which every line that is no comment must be `name==version`."""
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return {normalised(name): version for name, _, version in (line.partition("==") for line in lines)}


def test_every_direct_dependency_is_pinned():
    """What pyproject.toml asks for, constraints.txt fixes."""
    project = PYPROJECT["project"]
    asked = chain(project["dependencies"], *project["optional-dependencies"].values())
    names = {normalised(re.split(r"[^\w.-]", requirement)[0]) for requirement in asked}
    assert names - set(pins(ROOT / "constraints.txt")) == set()


@pytest.mark.parametrize("path", PINNED, ids=lambda path: path.name)
def test_pins_are_exact_and_name_no_host(path):
    """A pinned file holds names and versions alone, so that any index can serve it."""
    assert {name: v for name, v in pins(path).items() if not re.fullmatch(r"[\w.+]+", v)} == {}


def test_the_command_exists():
    """`gateway` starts a function that is there."""
    module, _, function = PYPROJECT["project"]["scripts"]["gateway"].partition(":")
    assert callable(getattr(importlib.import_module(module), function))


@pytest.mark.parametrize("name", ["/.venv", "/.venv-clients", "/build"])
def test_what_make_makes_is_ignored_as_a_link_too(name):
    """A pattern that ends with a slash is for directories alone; a link that is committed would replace them."""
    assert any(fnmatch(name, pattern) for pattern in (ROOT / ".gitignore").read_text().splitlines())
