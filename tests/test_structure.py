"""The shape of the tree is a promise; these tests keep it.

They read the source as text. Which layer may import which is for the import linter, in pyproject.toml.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "gateway"
TESTS = ROOT / "tests"

MAX_FUNCTION_LINES = 60
MADE_BY_TOOLS = {"build", "dist", "state", "node_modules", "__pycache__"}
HIDDEN_BUT_OURS = {".ci", ".gitignore", ".pre-commit-config.yaml"}
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:tmp|work|root|home/[a-z]+|Users/\w+)/[\w.-]+/")
# A task group's own `create_task` is fine: the group keeps its tasks.
MAKES_A_TASK = re.compile(r"^asyncio\.(create_task|ensure_future)$|loop(\(\))?\.create_task$")

FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def source_files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the project. Git is not asked, so that an unpacked archive will do."""
    for path in sorted(folder.iterdir()):
        if path.name in MADE_BY_TOOLS or path.name.endswith(".egg-info"):
            continue
        if path.name.startswith(".") and path.name not in HIDDEN_BUT_OURS:
            continue
        if path.is_dir():
            yield from source_files(path)
        else:
            yield path


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


MODULES = sorted(PACKAGE.rglob("*.py"))
COMPILED = sorted(PACKAGE.rglob("*.pyx"))
TEST_MODULES = sorted(TESTS.rglob("*.py"))
# What stands beside the package: measurements, load tests, fuzz targets, and what writes the dashboards.
BESIDE = sorted(path for folder in ("bench", "fuzz", "grafana", "loadtests") for path in (ROOT / folder).rglob("*.py"))
each_module = pytest.mark.parametrize("path", MODULES, ids=relative)


def budget(path: Path) -> int:
    """The most lines a file of this kind may have."""
    if path.suffix == ".pyx":
        return 700
    return 800 if path.is_relative_to(TESTS) else 500


def imported_names(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each `from SOURCE import NAME` as (source, name)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def is_package(dotted: str) -> bool:
    """Whether the dotted name is a package of ours."""
    return (dotted + ".").startswith("gateway.") and ROOT.joinpath(*dotted.split(".")).is_dir()


def is_module(dotted: str) -> bool:
    """Whether the dotted name is a module or a package of ours, compiled or not."""
    path = ROOT.joinpath(*dotted.split("."))
    return path.is_dir() or any(path.with_suffix(suffix).exists() for suffix in (".py", ".pyx"))


@pytest.mark.parametrize("path", [*MODULES, *COMPILED, *TEST_MODULES, *BESIDE], ids=relative)
def test_a_file_fits_the_budget_of_its_kind(path):
    """No module outgrows what one can hold in mind: 500 lines, 700 for a .pyx, 800 for tests."""
    assert len(path.read_text().splitlines()) <= budget(path)


@pytest.mark.parametrize("path", [*MODULES, *TEST_MODULES, *BESIDE], ids=relative)
def test_functions_are_short(path):
    """No function is longer than 60 lines."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, FUNCTION)]
    too_long = [f.name for f in functions if (f.end_lineno or f.lineno) - f.lineno >= MAX_FUNCTION_LINES]
    assert not too_long


@each_module
def test_a_package_lends_only_modules(path):
    """`from PACKAGE import X`, of a package of ours, takes modules only; the root also its version."""
    names = imported_names(ast.parse(path.read_text()))
    lent = [f"{source}.{name}" for source, name in names if is_package(source)]
    assert [name for name in lent if name != "gateway.__version__" and not is_module(name)] == []


@pytest.mark.parametrize("path", [p for p in MODULES if p != PACKAGE / "tasks.py"], ids=relative)
def test_tasks_are_made_in_one_place(path):
    """Only gateway/tasks.py makes a task: a task that nobody keeps may vanish half done."""
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    made = [ast.unparse(call) for call in calls if re.search(MAKES_A_TASK, ast.unparse(call))]
    assert made == []


@pytest.mark.parametrize("path", [p for p in MODULES if p.name == "__init__.py"], ids=relative)
def test_a_package_file_holds_a_docstring_only(path):
    """`__init__.py` carries no code; the root also has the version."""
    statements = ast.parse(path.read_text()).body[1:]
    allowed = ["__version__"] if path.parent == PACKAGE else []
    assert [ast.unparse(statement).split(" ")[0] for statement in statements] == allowed


def test_the_compiled_core_imports_nothing_of_ours():
    """Nothing but its own parts: the import linter cannot see into a .pyx, so this test does."""
    ours = re.compile(r"^[ \t]*(?:c?import gateway|from (?:gateway|\.)).*$", re.MULTILINE)
    found = {relative(path): ours.findall(path.read_text()) for path in COMPILED}
    matching = "from gateway._matching cimport Rule, all_of, check_path, find"
    assert found == {"gateway/_fastpath.pyx": [matching], "gateway/_matching.pyx": [], "gateway/_scan.pyx": []}


@pytest.mark.parametrize("path", [p for p in MODULES if p.name not in {"__init__.py", "__main__.py"}], ids=relative)
def test_every_module_has_its_test_file(path):
    """The tests of gateway/policy/load.py are in tests/policy/test_load.py, and so for each module."""
    mirrored = TESTS / path.relative_to(PACKAGE).with_name(f"test_{path.name}")
    assert mirrored.exists(), f"write {relative(mirrored)}"


def test_no_file_names_a_path_of_one_machine():
    """The tree works wherever it is cloned: no file points into somebody's home or scratch directory."""
    found = []
    for path in source_files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{relative(path)}: {match}" for match in MACHINE_PATH.findall(text)]
    assert found == []


@pytest.mark.parametrize(("name", "lines"), [("README.md", 150), ("CONTRIBUTING.md", 60)])
def test_what_a_newcomer_reads_first_is_short(name, lines):
    """The README stays under 150 lines, and CONTRIBUTING fits on a screen."""
    assert len((ROOT / name).read_text().splitlines()) <= lines
