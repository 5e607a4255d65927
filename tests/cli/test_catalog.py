"""`gateway catalog`: what is known of the 44 tools, for people and for programs."""

import json

import pytest

from gateway.catalog import binassist
from gateway.catalog.recommend import tool_policy
from gateway.catalog.survey import survey
from gateway.cli.main import main


def test_the_list_has_a_line_for_each_tool(capsys):
    """44 lines under the head, without colours where nobody looks."""
    assert main(["catalog", "list"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["TOOL", "CLASS", "LEVEL", "RECOMMENDED"]
    assert [line.split()[0] for line in lines] == [entry["name"] for entry in binassist.TOOLS]
    assert "cancel_task                Execute  High    at most 10 calls a minute for each grant." in lines
    assert "\x1b" not in "".join(lines)


def test_a_page_says_why_and_what_to_do(capsys):
    """Class, the actions, the reasons, what goes wrong, and the policy, ready to be pasted."""
    assert main(["catalog", "show", "comments"]) == 0
    page = capsys.readouterr().out
    assert page.startswith("comments: Write, Medium\n")
    assert 'By args.action: "get" Read, Low; "list" Read, Low; ' in page
    assert "source code  Depends on action" in page
    assert "destruction without undo  One wrong call loses what nobody can bring back." in page
    comments = next(one for one in survey(binassist.TOOLS) if one.tool == "comments")
    assert json.loads(page[page.index("\n{") :]) == tool_policy(comments)


@pytest.mark.parametrize("tool", [entry["name"] for entry in binassist.TOOLS])
def test_every_tool_has_its_page(capsys, tool):
    """No tool is without a reason."""
    assert main(["catalog", "show", tool]) == 0
    assert "\nWhy\n  source code  " in capsys.readouterr().out


def test_json_of_the_list_and_of_a_tool(capsys):
    """Programs get everything, the policy included."""
    assert main(["catalog", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert main(["catalog", "show", "comments", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(listed) == 44
    assert shown in listed
    assert (shown["class"], shown["level"], shown["recommended"]["default"]) == ("Write", "Medium", "allow")


def test_a_tool_that_is_not_known_has_a_neighbour(capsys):
    """A slip of the finger is told what was meant."""
    assert main(["catalog", "show", "comment"]) == 1
    assert capsys.readouterr().err == (
        "BinAssistMCP has no tool 'comment', see `gateway catalog list`; did you mean `comments`?\n"
    )
