"""A policy as a file reads back as the policy, with its reasons beside it."""

import pytest
import yaml

from gateway.catalog import binassist
from gateway.catalog.documents import policy_text
from gateway.catalog.recommend import server_policy
from gateway.catalog.survey import survey
from gateway.documents import read_document
from tests.catalog.definitions import entry

HOSTILE = [
    entry("*"),
    entry("evil\n  extra: {}"),
    entry("delete \u2028 # {", **{"a\n- b": "array"}),
    entry("naïve_😀", action={"enum": ["get", "r\x85emove: {"]}),
]


@pytest.mark.parametrize("format", ["json", "yaml"])
@pytest.mark.parametrize("style", ["strict", "balanced", "watch"])
@pytest.mark.parametrize("listed", [[], list(binassist.TOOLS), HOSTILE], ids=["none", "binassist", "hostile"])
def test_the_file_reads_back(listed, style, format):
    """Whatever the server has called things, the file holds the policy and nothing else."""
    found = survey(listed)
    made = server_policy(found, style, "Made for a test.")
    text = policy_text(made, found, style, format)
    assert read_document(text, "file", format).value == made
    assert text.isascii() or format == "yaml"


def test_yaml_has_a_comment_on_every_tool():
    """The class, the reasons and the sentence stand above each tool's rules."""
    found = survey(binassist.TOOLS)
    lines = policy_text(server_policy(found), found, "balanced", "yaml").splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith('  "rename_symbol": '))
    assert lines[place - 2].startswith("  # Write, Medium: Changes one name")
    assert lines[place - 2].endswith('; "rename" in its name; readOnlyHint: false.')
    assert lines[place - 1] == "  # rename_symbol: at most 30 calls a minute for each grant."
    assert sum(line.startswith("  # ") for line in lines) == 2 * len(found)


def test_what_is_left_out_is_said():
    """A tool that no rule can stand for is named in a comment, escaped."""
    found = survey(HOSTILE)
    text = policy_text(server_policy(found), found, "balanced", "yaml")
    assert "  # evil\\u{a}  extra: {} is left out: no rule can stand for this name alone." in text.splitlines()
    assert list(yaml.safe_load(text)["tools"]) == ["naïve_😀"]
