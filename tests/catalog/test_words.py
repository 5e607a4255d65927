"""Words are found in names however they are written."""

import pytest

from gateway.catalog import words
from gateway.catalog.risk import RiskClass


@pytest.mark.parametrize("name", ["get_user_by_id", "getUserById", "get-user.by/id", "GET_USER_BY_ID", "GetUserByID"])
def test_names_are_split_alike(name):
    """Underscores, dashes and capitals all part words."""
    assert words.words_of(name) == ["get", "user", "by", "id"]


def test_a_name_without_letters_has_no_words():
    """Neither signs nor foreign letters are read."""
    assert words.words_of("*_ß") == []


def test_telling_words_of_a_description():
    """Words that tell are found in the forms that sentences use, as they stand there."""
    said = words.said_in("Deletes a file; never executing it. Deleted files stay in a DELETED folder. Removing ...")
    assert said == {
        "Deletes": RiskClass.DESTRUCTIVE,
        "executing": RiskClass.EXECUTE,
        "Removing": RiskClass.DESTRUCTIVE,
    }


@pytest.mark.parametrize(
    ("name", "risk"),
    [
        ("sql", RiskClass.EXECUTE),
        ("shell_command", RiskClass.EXECUTE),
        ("toolName", RiskClass.EXECUTE),
        ("amount", RiskClass.FINANCIAL),
        ("card_number", RiskClass.FINANCIAL),
        ("filename", None),
        ("", None),
    ],
)
def test_arguments_that_give_power_away(name, risk):
    """What an argument is called says what may be done with it."""
    assert words.argument_risk(name) is risk


def test_no_verb_is_of_two_classes():
    """Each word has one meaning here."""
    groups = [words._READ, words._WRITE, words._EXECUTE, words._DESTRUCTIVE, words._FINANCIAL]
    assert sum(len(group.split()) for group in groups) == len(words.VERBS)
