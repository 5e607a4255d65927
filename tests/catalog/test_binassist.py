"""BinAssistMCP's tools are known by heart, and recognised only while they are what we know."""

import copy

import pytest

from gateway.catalog import binassist
from gateway.catalog.classify import classify
from gateway.catalog.definition import read_definition
from gateway.catalog.risk import LEVEL_OF, Level, RiskClass, reaches

NAMES = [entry["name"] for entry in binassist.TOOLS]


def by_heart(name):
    """What is known of a tool, and what its definition alone would say."""
    definition = read_definition(binassist.TOOLS[NAMES.index(name)])
    return binassist.known(definition), classify(definition)


def test_the_numbers_are_those_of_the_real_server():
    """44 tools, 8 resource templates, 7 prompts."""
    assert (len(set(NAMES)), len(binassist.RESOURCE_TEMPLATES), len(binassist.PROMPTS)) == (44, 8, 7)


def test_the_classes_are_those_of_the_real_server():
    """30 read, 10 write, 4 execute; what destroys is an action or a flag of one that writes."""
    risks = [by_heart(name)[0].risk for name in NAMES]
    assert [risks.count(risk) for risk in RiskClass] == [30, 10, 4, 0, 0]
    destructive = {
        (name, switch.path, value.value)
        for name in NAMES
        for switch in by_heart(name)[0].switches
        for value in switch.values
        if value.risk is RiskClass.DESTRUCTIVE
    }
    assert destructive == {
        ("comments", "args.action", "remove"),
        ("bookmarks", "args.action", "remove"),
        ("export_program", "args.overwrite", True),
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_definition_alone_never_makes_a_tool_milder(name):
    """Who does not know the server errs on the side of caution, for each of the 44."""
    known, derived = by_heart(name)
    assert reaches(derived.risk, known.risk)
    assert known.evidence[0].source == "source code"


def test_the_definition_alone_is_right_for_most():
    """36 of the 44 get the class that reading the source gave them; the others a worse one."""
    assert sum(known.risk is derived.risk for known, derived in map(by_heart, NAMES)) == 36


def test_the_level_is_the_one_that_the_source_gave():
    """A level may be milder than that of the class: start_task only makes a record today."""
    assert by_heart("start_task")[0].level is Level.MEDIUM
    assert by_heart("get_code")[0].level is Level.MEDIUM
    assert LEVEL_OF[by_heart("patch_bytes")[0].risk] is Level.MEDIUM
    assert by_heart("patch_bytes")[0].level is Level.HIGH


def test_another_description_is_the_same_tool():
    """Descriptions differ between versions."""
    entry = copy.deepcopy(binassist.TOOLS[0]) | {"description": "Other words."}
    assert binassist.known(read_definition(entry)) is not None


def test_another_schema_is_another_tool():
    """A tool that grew an argument is not the one we know, whatever its name."""
    entry = copy.deepcopy(binassist.TOOLS[0])
    entry["inputSchema"]["properties"]["command"] = {"type": "string"}
    assert binassist.known(read_definition(entry)) is None
    assert binassist.known(read_definition(binassist.TOOLS[0] | {"name": "other"})) is None
