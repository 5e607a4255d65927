"""What the documents show works as shown: policies, configurations, commands, links, names of metrics and rules."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.audit import event
from gateway.config import build_config
from gateway.documents import read_document
from gateway.metrics import Metrics
from gateway.policy.load import load_policy
from gateway.policy.tables import compile_policy

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(path: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def test_the_policy_in_the_readme_compiles():
    """The policy explained there is one that the gateway takes."""
    (text,) = blocks(ROOT / "README.md", "json")
    policy = compile_policy(load_policy(read_document(text, "README.md", "json")))
    assert set(policy.tools) == {"get_code", "comments"}


def test_the_configuration_in_the_readme_is_one(tmp_path: Path):
    """The configuration shown there loads, next to the policy that it names."""
    (text,) = blocks(ROOT / "README.md", "yaml")
    (tmp_path / "policies").mkdir()
    policy = (ROOT / "gateway" / "catalog" / "policies" / "cancel_task.json").read_text()
    (tmp_path / "policies" / "cancel_task.json").write_text(policy)
    config = build_config(read_document(text, "README.md", "yaml"), tmp_path)
    assert config.grants[0].label == "alice-laptop"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path):
    """Every relative link names a file that is there."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(path: Path):
    """Every `make` target and every `gateway` command that is shown exists."""
    text = path.read_text()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = "\n".join([*blocks(path, "sh"), *re.findall(r"`((?:make|gateway) [^`]+)`", text)])
    assert set(re.findall(r"\bmake ([a-z]+)", shown)) <= targets
    for command in set(re.findall(r"\bgateway ([a-z]+)", shown)):
        asked = [sys.executable, "-m", "gateway", command, "--help"]
        assert subprocess.run(asked, capture_output=True, check=False).returncode == 0, command


def test_every_metric_is_documented():
    """docs/operations.md names the metrics that there are, and no others."""
    text = (ROOT / "docs" / "operations.md").read_text()
    named = set(re.findall(r"`(mcp_\w+)`", text))
    families = Metrics("0", "none").registry.collect()
    ours = {family.name for family in families if family.name.startswith("mcp_")}
    assert {re.sub(r"_(total|info)$", "", name) for name in named} == ours


def test_every_kind_of_record_is_documented():
    """docs/operations.md names each type of record with its fields."""
    text = (ROOT / "docs" / "operations.md").read_text()
    for record in (event.DecisionRecord, event.OutcomeRecord, event.RefusalRecord):
        assert f"`{record.__struct_config__.tag}`" in text
        missing = {field for field in record.__struct_fields__ if f"`{field}`" not in text}
        assert missing == set(), record
