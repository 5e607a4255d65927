"""A whole list of tools is classified."""

import pytest

from gateway.catalog import binassist
from gateway.catalog.risk import RiskClass
from gateway.catalog.survey import survey
from tests.catalog.definitions import entry


def test_known_tools_by_heart_and_others_by_their_definition():
    """The order of the list is kept."""
    found = survey([entry("drop_it"), binassist.TOOLS[0]])
    assert [(one.tool, one.risk) for one in found] == [
        ("drop_it", RiskClass.DESTRUCTIVE),
        ("list_binaries", RiskClass.READ),
    ]
    assert found[1].evidence[0].source == "source code"


@pytest.mark.parametrize(
    ("prefix", "number", "risk"),
    [("github_", 5, RiskClass.READ), ("github_", 4, RiskClass.EXECUTE), ("delete_", 5, RiskClass.DESTRUCTIVE)],
)
def test_what_all_names_begin_with_is_a_namespace(prefix, number, risk):
    """A word that five names or more share, and no other is without, says nothing, unless it is a verb we know."""
    names = [f"{prefix}list_{thing}" for thing in ("a", "b", "c", "d", "e")[:number]]
    assert {one.risk for one in survey(map(entry, names))} == {risk}
    assert survey([*map(entry, names), entry("other")])[0].risk is not RiskClass.READ


def test_of_two_tools_of_one_name_the_riskier_counts():
    """A server cannot hide a tool behind a milder one of the same name."""
    mild, bad = entry("get"), entry("get", command="string")
    for listed in ([mild, bad], [bad, mild]):
        assert [one.risk for one in survey(listed)] == [RiskClass.EXECUTE]
