"""The class of a tool follows from its definition, and nothing a server claims makes it milder."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.catalog import attacks, words
from gateway.catalog.classify import classify
from gateway.catalog.definition import read_definition
from gateway.catalog.risk import Level, RiskClass, reaches
from tests.catalog.definitions import definition, entry

NAMES = st.lists(
    st.sampled_from(["get", "list", "set", "run", "delete", "pay", "and", "user", "frobnicate", "status"]),
    min_size=1,
    max_size=4,
).map("_".join)
HINTS = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"], st.booleans()),
)
ARGUMENTS = st.dictionaries(
    st.sampled_from(["a", "sql", "amount", "overwrite", "force", "items", "path"]),
    st.sampled_from(["string", "boolean", "array", "object"]),
    max_size=4,
)
ACTIONS = st.lists(st.sampled_from(["get", "info", "set", "start", "remove", "mystery"]), max_size=4, unique=True)
DESCRIPTIONS = st.sampled_from(["", "Gets it.", "Deletes it.", "Executes a shell.", "Permanently gone."])


@st.composite
def entries(draw):
    """Entries of lists, with an action or without."""
    actions = draw(ACTIONS)
    action = {"action": {"enum": actions}} if actions else {}
    return entry(draw(NAMES), description=draw(DESCRIPTIONS), hints=draw(HINTS), **draw(ARGUMENTS), **action)


def values_of(classification):
    """The class of every value of every switch."""
    return {(s.path, repr(v.value)): v.risk for s in classification.switches for v in s.values}


def at_least(worse, milder):
    """Whether a classification is as bad as another in everything."""
    others = values_of(worse)
    return (
        reaches(worse.risk, milder.risk)
        and reaches(worse.base, milder.base)
        and all(reaches(others.get(key, worse.base), risk) for key, risk in values_of(milder).items())
    )


@given(entries())
def test_a_claim_of_safety_never_lowers_the_class(listed):
    """Without readOnlyHint: true and destructiveHint: false a tool is exactly as bad as with them."""
    claimed = listed | {"annotations": {**listed["annotations"], "readOnlyHint": True, "destructiveHint": False}}
    silent = listed | {"annotations": {}}
    assert at_least(classify(read_definition(silent)), classify(read_definition(claimed)))
    assert at_least(classify(read_definition(claimed)), classify(read_definition(silent)))


@given(entries())
def test_evidence_of_safety_that_goes_never_lowers_the_class(listed):
    """Without its verbs of reading, and without the closed set of its actions, a tool is as bad or worse."""
    before = classify(read_definition(listed))
    reading = {word for word, risk in words.VERBS.items() if risk is RiskClass.READ}
    rest = [word for word in listed["name"].split("_") if word not in reading]
    unnamed = classify(read_definition(listed | {"name": "_".join(rest) or "x"}))
    assert reaches(unnamed.risk, before.risk)
    properties = listed["inputSchema"]["properties"]
    if "action" in properties:
        opened = listed | {"inputSchema": {"properties": properties | {"action": {"type": "string"}}}}
        assert reaches(classify(read_definition(opened)).risk, before.risk)


@given(entries(), st.sampled_from(["destructiveHint", "description", "argument", "name"]))
def test_evidence_of_danger_never_lowers_the_class(listed, kind):
    """Whatever speaks for danger leaves a tool as bad or makes it worse."""
    before = classify(read_definition(listed))
    match kind:
        case "destructiveHint":
            worse = listed | {"annotations": {**listed["annotations"], "destructiveHint": True}}
        case "description":
            worse = listed | {"description": listed["description"] + " It deletes everything."}
        case "argument":
            schema = {"properties": listed["inputSchema"]["properties"] | {"command": {"type": "string"}}}
            worse = listed | {"inputSchema": schema}
        case _:
            worse = listed | {"name": listed["name"] + "_and_delete"}
    assert reaches(classify(read_definition(worse)).risk, before.risk)


@given(entries())
def test_every_class_has_a_reason(listed):
    """The class and the level of a tool are those of some piece of evidence."""
    found = classify(read_definition(listed))
    assert found.risk is RiskClass.READ or any(piece.risk is found.risk for piece in found.evidence)
    assert set(found.attacks) <= set(attacks.ATTACKS)


def test_what_says_nothing_is_execute():
    """A name without a word that tells is taken for Execute, whatever the server claims of it."""
    found = classify(definition("frobnicate", hints={"readOnlyHint": True}))
    assert (found.risk, found.level) == (RiskClass.EXECUTE, Level.HIGH)


@pytest.mark.parametrize("name", ["*", "", "\u00e9"])
def test_a_name_without_words_may_have_actions(name):
    """Whatever a tool is called, its actions are read."""
    found = classify(definition(name, action={"enum": ["get"]}))
    assert (found.risk, found.attacks) == (RiskClass.READ, ())


def test_actions_are_classed_one_by_one():
    """A tool with a closed set of actions is as bad as the worst, and each action is what its own words say."""
    found = classify(
        definition("comments", description="Get or remove.", action={"enum": ["get", "set", "remove", "x"]})
    )
    assert values_of(found) == {
        ("args.action", "'get'"): RiskClass.READ,
        ("args.action", "'set'"): RiskClass.WRITE,
        ("args.action", "'remove'"): RiskClass.DESTRUCTIVE,
        ("args.action", "'x'"): RiskClass.EXECUTE,
    }
    assert (found.risk, found.base) == (RiskClass.DESTRUCTIVE, RiskClass.READ)


def test_a_hint_that_no_action_explains_is_meant_for_those_that_change_something():
    """destructiveHint: true on a tool without a destructive action makes its milder actions suspect."""
    found = classify(definition("notes", hints={"destructiveHint": True}, action={"enum": ["get", "set"]}))
    assert [*values_of(found).values()] == [RiskClass.READ, RiskClass.DESTRUCTIVE]
    found = classify(definition("notes", hints={"destructiveHint": True}, action={"enum": ["get", "list"]}))
    assert [*values_of(found).values()] == [RiskClass.DESTRUCTIVE, RiskClass.DESTRUCTIVE]


def test_the_name_counts_for_every_action():
    """What the name of a tool says holds whichever action is chosen."""
    found = classify(definition("delete_things", action={"enum": ["get", "set"]}))
    assert {*values_of(found).values()} == {RiskClass.DESTRUCTIVE}


@pytest.mark.parametrize(
    ("name", "flag", "bad"),
    [
        ("write_file", "overwrite", [True]),
        ("write_file", "force", [True]),
        ("write_file", "no_overwrite", [False]),
        ("get_file", "force", []),
        ("get_message", "delete", [True]),
        ("write_file", "verbose", []),
    ],
)
def test_flags_that_destroy(name, flag, bad):
    """A flag may turn a call into one without undo; words of emphasis do so only where something is changed."""
    found = classify(definition(name, **{flag: "boolean"}))
    assert [v.value for s in found.switches for v in s.values if v.risk is RiskClass.DESTRUCTIVE] == bad


def test_lists_without_bound_raise_the_level_of_what_changes():
    """One call that carries many changes is worse than one that carries one; reading many is not."""
    found = classify(definition("rename", items="array", options="object"))
    assert (found.risk, found.level) == (RiskClass.WRITE, Level.HIGH)
    assert [(bulk.path, bulk.is_list, bulk.may_be_text) for bulk in found.bulk] == [
        ("args.items", True, False),
        ("args.options", False, False),
    ]
    assert classify(definition("get", items="array")).bulk == ()


@pytest.mark.parametrize(
    ("listed", "pattern"),
    [
        (entry("rename"), attacks.CHOICE),
        (entry("set_comment", text="string"), attacks.STORED),
        (entry("delete"), attacks.NO_UNDO),
        (entry("pay"), attacks.MONEY),
        (entry("rename", items="array"), attacks.BULK),
        (entry("run", code="string"), attacks.CODE),
        (entry("start", tool_name="string"), attacks.DETOUR),
        (entry("start", tool="string"), attacks.DETOUR),
        (entry("get", url="string"), attacks.EXFILTRATION),
        (entry("get", hints={"openWorldHint": True}), attacks.EXFILTRATION),
        (entry("read", path="string"), attacks.PATHS),
        (entry("run"), attacks.RUNAWAY),
        (entry("list_users"), attacks.FLOOD),
        (entry("get_strings"), attacks.FLOOD),
    ],
)
def test_patterns_of_attack(listed, pattern):
    """Each pattern applies to what invites it."""
    assert pattern in classify(read_definition(listed)).attacks


@pytest.mark.parametrize("listed", [entry("get_status"), entry("get_address"), entry("list_users", limit="integer")])
def test_a_harmless_reading_tool_invites_nothing(listed):
    """No pattern applies to a tool that reads one thing, or a bounded number."""
    assert classify(read_definition(listed)).attacks == ()
