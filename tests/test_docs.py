"""What the documents show works as shown: policies, configurations, commands, links, names of metrics and of tests."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from gateway.audit import bookkeeping, event
from gateway.documents import read_document
from gateway.metrics import Metrics
from gateway.policy.load import load_policy
from tests.support.processes import GatewayProcess

ROOT = Path(__file__).parents[1]
PROMISES = ROOT / "THREAT_MODEL.md"
ATTACKS = ROOT / "docs" / "security.md"
AT_THE_ROOT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
DOCUMENTS = [*AT_THE_ROOT, PROMISES, *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def test_the_policy_in_the_readme_compiles():
    """The policy explained there is one that the gateway takes."""
    (text,) = blocks(ROOT / "README.md", "json")
    policy = load_policy(read_document(text, "README.md", "json"))
    assert set(policy.tools) == {"get_code", "comments"}


async def test_the_steps_of_the_readme_lead_to_a_gateway(tmp_path: Path):
    """What it says of one's own BinAssistMCP works to the letter, but for installing, which a test can't, and ports."""
    checkout, home = tmp_path / "checkout", tmp_path / "home"
    shutil.copytree(ROOT / "gateway" / "catalog", checkout / "gateway" / "catalog")
    install_command(home / "mcp-gateway" / "venv" / "bin" / "gateway")
    prepare, check = (steps(block) for block in blocks(ROOT / "README.md", "sh")[1:3])
    (shown,) = blocks(ROOT / "README.md", "yaml")

    # Group-writable files, as many systems make them, must not get in the way.
    printed = shell(["umask 002", *prepare, "pwd"], checkout, home)
    config = Path(printed.splitlines()[-1]) / "gateway.yaml"
    granted = re.findall(r"^  (?:- |  )\S.*\n", printed, re.MULTILINE)
    pasted = shown.partition("grants:\n")[0] + "grants:\n" + "".join(granted)
    for text in (shown, pasted):
        config.write_text(text)
        config.chmod(0o644)
        assert shell(check, config.parent, home) == "ok: gateway.yaml: 1 server, 1 policy, 1 grant\n"
    config.write_text(re.sub(r"(listen: 127\.0\.0\.1):\d+", r"\1:0", pasted))
    async with GatewayProcess(config) as process:
        assert await process.stop() == 0


def install_command(path: Path) -> None:
    """Put the `gateway` under test where the README installs it."""
    path.parent.mkdir(parents=True)
    path.write_text(f'#!/bin/sh\nexec {sys.executable} -P -m gateway "$@"\n')
    path.chmod(0o700)


def steps(block: str) -> list[str]:
    """The lines of a shell block, but for installing and for what does not end."""
    return [line for line in block.splitlines() if "pip install" not in line and "gateway serve" not in line]


def shell(lines: list[str], folder: Path, home: Path) -> str:
    """What the lines print, run one after the other until one fails."""
    return subprocess.run(
        ["sh", "-e"],
        input="\n".join(lines),
        cwd=folder,
        env=os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    """Every relative link names a file that is there."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(path: Path):
    """Every `make` target and every `gateway` command that is shown exists."""
    text = path.read_text()
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = "\n".join([*blocks(path, "sh"), *re.findall(r"`((?:make|gateway) [^`]+)`", text)])
    assert set(re.findall(r"\bmake ([a-z-]+)", shown)) <= targets
    for command in set(re.findall(r"\bgateway ([a-z]+)", shown)):
        asked = [sys.executable, "-m", "gateway", command, "--help"]
        assert subprocess.run(asked, capture_output=True, check=False).returncode == 0, command


def test_the_walk_through_for_authors_is_true(tmp_path: Path):
    """The files of docs/authoring.md, and what each command prints that is shown with its output."""
    path = ROOT / "docs" / "authoring.md"
    install_command(tmp_path / "bin" / "gateway")
    folder = tmp_path / "work"
    folder.mkdir()
    for name, text in re.findall(r"`([a-z]+\.yaml)`[^`]*```yaml\n(.*?)```", path.read_text(), re.DOTALL):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    shown = re.findall(r"```sh\n(.*?)```\n\n```text\n(.*?)```", path.read_text(), re.DOTALL)
    assert shown
    assert len(shown) == len(blocks(path, "sh"))
    for command, output in shown:
        lines = [f'PATH="{tmp_path}/bin:$PATH"', *command.splitlines()]
        assert shell(lines, folder, tmp_path) == output


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_metrics_that_are_named_exist(path: Path):
    """docs/metrics.md, which is generated, has all of them; no document names another."""
    named = set(re.findall(r"\bmcp_(?:gateway|server)_[a-z_]+", path.read_text()))
    families = Metrics("0", "none").registry.collect()
    ours = {family.name for family in families if family.name.startswith("mcp_")}
    assert {re.sub(r"_(total|info|bucket|count|sum)$", "", name) for name in named} <= ours


def test_every_kind_of_record_is_documented():
    """docs/audit.md names each type of record with its fields."""
    text = (ROOT / "docs" / "audit.md").read_text()
    for record in (*get_args(event.AuditRecord), *get_args(bookkeeping.Bookkeeping)):
        assert f"`{record.__struct_config__.tag}`" in text
        missing = {field for field in record.__struct_fields__ if f"`{field}`" not in text}
        assert missing == set(), record


def test_every_decision_has_a_number_of_its_own():
    """A page is named by its number, which its title repeats."""
    pages = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    assert numbers == list(range(1, len(pages) + 1))
    assert [page.read_text().split(".", 1)[0] for page in pages] == [f"# {number}" for number in numbers]


@pytest.mark.parametrize("path", [PROMISES, ATTACKS], ids=lambda path: path.name)
def test_every_test_that_is_named_exists(path: Path):
    """A proof that a document names is a file of tests, or a test in one."""
    named = re.findall(r"`(tests/[^`]+)`", path.read_text())
    missing = [name for name in named if not is_there(*name.partition("::")[::2])]
    assert missing == []


def is_there(path: str, test: str) -> bool:
    """Whether there is this file, with this test where one is named."""
    file = ROOT / path
    return file.is_file() and (
        not test or re.search(rf"^(?:async )?def {test}\(", file.read_text(), re.MULTILINE) is not None
    )


def test_every_guarantee_has_a_proof():
    """G1 to G12 are all promised, each with a test."""
    _, *promises = re.split(r"^\*\*G(?=\d+\. )", PROMISES.read_text(), flags=re.MULTILINE)
    assert [int(promise.partition(".")[0]) for promise in promises] == list(range(1, 13))
    assert all("`tests/" in promise.partition("\n##")[0] for promise in promises)


def test_every_attack_has_a_proof_or_is_not_ours():
    """A row of docs/security.md names a test, or says that it is not ours and why."""
    tables = ATTACKS.read_text().partition("## Fuzzing")[0]
    rows = [
        line.strip("|").split("|")
        for line in tables.splitlines()
        if line.startswith("| ") and not line.startswith(("| risk |", "| hole |"))
    ]
    assert len(rows) >= 25
    for risk, answer, tests in rows:
        assert "`tests/" in tests or answer.strip().startswith("not ours: "), risk
