"""Each part of a definition says what it says, and no more."""

import pytest

from gateway.catalog import evidence
from gateway.catalog.definition import Hints
from gateway.catalog.risk import Level, RiskClass, riskiest
from tests.catalog.definitions import definition


def worst(found):
    """The class that follows from some evidence; None where none does."""
    return riskiest(*(piece.risk for piece in found)) if any(piece.risk for piece in found) else None


@pytest.mark.parametrize(
    ("name", "risk"),
    [
        ("get_user", RiskClass.READ),
        ("list_open_issues", RiskClass.READ),
        ("shuffle_list_entries", None),
        ("get_payment_history", RiskClass.READ),
        ("info", RiskClass.READ),
        ("rename_symbol", RiskClass.WRITE),
        ("file_upload", RiskClass.WRITE),
        ("search_and_replace", RiskClass.WRITE),
        ("getOrCreateUser", RiskClass.WRITE),
        ("runQuery", RiskClass.EXECUTE),
        ("read_and_frobnicate", RiskClass.EXECUTE),
        ("get_ο", RiskClass.EXECUTE),
        ("bulk_delete", RiskClass.DESTRUCTIVE),
        ("get_and_purge", RiskClass.DESTRUCTIVE),
        ("list_then_drop", RiskClass.DESTRUCTIVE),
        ("create_payment", RiskClass.FINANCIAL),
        ("frobnicate", None),
        ("frobnicate_status", None),
        ("helper", None),
        ("", None),
    ],
)
def test_names(name, risk):
    """The verbs of a name give its class; after a verb of reading comes what is read, unless that destroys."""
    assert worst(evidence.of_name(name)) is risk


@pytest.mark.parametrize(
    ("hints", "risk"),
    [
        (Hints(), None),
        (Hints(read_only=True, destructive=False, idempotent=True, open_world=False), None),
        (Hints(read_only=False), RiskClass.WRITE),
        (Hints(destructive=True), RiskClass.DESTRUCTIVE),
        (Hints(read_only=True, destructive=True), RiskClass.DESTRUCTIVE),
    ],
)
def test_hints_raise_and_never_lower(hints, risk):
    """No hint makes a tool milder, and no absent one makes it worse."""
    assert worst(evidence.of_hints(hints)) is risk


def test_a_namespace_is_passed_over():
    """Where all names begin with one word, the next one is the verb."""
    assert worst(evidence.of_name("github_list_issues", "github")) is RiskClass.READ
    assert worst(evidence.of_name("github_list_issues")) is None
    assert worst(evidence.of_name("delete_list", "github")) is RiskClass.DESTRUCTIVE


def test_a_description_is_quoted_once_for_each_class():
    """However many milder words come before it, the worst one counts."""
    found = evidence.of_description("It executes, executing a shell by eval, and deletes.")
    assert [piece.risk for piece in found] == [RiskClass.EXECUTE, RiskClass.DESTRUCTIVE]
    assert found[1].text == '"deletes" in its description'


@pytest.mark.parametrize(
    ("arguments", "risk"),
    [
        ({"a": "string"}, None),
        ({"command": "string"}, RiskClass.EXECUTE),
        ({"request": {"properties": {"sql": {"type": "string"}}}}, RiskClass.EXECUTE),
        ({"amount": "number"}, RiskClass.FINANCIAL),
        ({"action": "string"}, RiskClass.DESTRUCTIVE),
        ({"action": {}}, RiskClass.DESTRUCTIVE),
        ({"action": "integer"}, None),
        ({"action": {"enum": ["get"]}}, None),
        ({"a": 5}, RiskClass.EXECUTE),
    ],
)
def test_arguments(arguments, risk):
    """What an argument is called counts at any depth; actions that the schema keeps to itself are the worst."""
    assert worst(evidence.of_schema(definition("t", **arguments))) is risk


@pytest.mark.parametrize("name", ["path", "output_path", "url", "webhookUrl", "to", "recipients"])
def test_places_of_the_callers_choosing_raise_the_level(name):
    """A path or an address is no class of its own, but no small matter."""
    (piece,) = evidence.of_schema(definition("get_it", **{name: "string"}))
    assert (piece.risk, piece.level) == (None, Level.MEDIUM)
