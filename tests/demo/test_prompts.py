"""Prompts are written from their arguments."""

import pytest

from gateway.demo import catalogue
from gateway.demo.model import ToolError
from gateway.demo.prompts import write_prompt


@pytest.mark.parametrize("name", catalogue.PROMPTS)
def test_a_prompt_carries_its_arguments(name):
    """Each value given stands in the text."""
    values = {argument.name: f"<{argument.name}>" for argument in catalogue.PROMPTS[name].arguments or ()}
    text = write_prompt(name, values)
    assert all(value in text for value in values.values())


def test_missing_arguments_are_named():
    """All that is missing is named at once."""
    with pytest.raises(ToolError, match="Missing required arguments: func2, filename"):
        write_prompt("compare_functions", {"func1": "mix"})


def test_an_unknown_prompt_is_an_error():
    """A name that is not published has no text."""
    with pytest.raises(ToolError, match="Unknown prompt: nothing"):
        write_prompt("nothing", {})
