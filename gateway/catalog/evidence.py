"""What a tool's definition says about its risk, piece by piece: the name, the hints, the description, the schema.

Each function reads one part and knows nothing of the others; `classify` puts them together.
"""

from collections.abc import Iterator
from typing import Final

from gateway.catalog import words
from gateway.catalog.definition import Argument, Definition, Hints
from gateway.catalog.risk import Evidence, Level, RiskClass

UNKNOWN: Final = RiskClass.EXECUTE
"""The class of what cannot be told."""

SILENCE: Final = Evidence("name", "no word in its name that says what it does", UNKNOWN)
"""What follows from a name that says nothing."""


def of_name(name: str, namespace: str = "") -> list[Evidence]:
    """What the words of a name say; empty where they say nothing.

    `namespace` is the first word of all the server's tools, where that says nothing about any of them.
    """
    spoken = words.words_of(name)
    if namespace and spoken[:1] == [namespace]:
        spoken = spoken[1:]
    found = [Evidence("name", f'"{word}" in its name', risk) for word, risk in _verbs(spoken)]
    if found and not name.isascii():
        found.append(Evidence("name", "letters beyond ASCII in its name, which may pose as others", UNKNOWN))
    return found


def of_hints(hints: Hints) -> list[Evidence]:
    """What the annotations add. None of them makes a tool milder."""
    found = []
    if hints.destructive:
        found.append(Evidence("annotations", "destructiveHint: true", RiskClass.DESTRUCTIVE))
    if hints.read_only is False:
        found.append(Evidence("annotations", "readOnlyHint: false", RiskClass.WRITE))
    if hints.read_only:
        found.append(Evidence("annotations", "readOnlyHint: true, a claim that lowers nothing"))
    if hints.open_world:
        found.append(Evidence("annotations", "openWorldHint: true"))
    return found


def of_description(description: str) -> list[Evidence]:
    """What the telling words of a description add, one for each class."""
    said = {risk: word for word, risk in words.said_in(description).items()}
    return [Evidence("description", f'"{word}" in its description', risk) for risk, word in said.items()]


def of_schema(definition: Definition) -> list[Evidence]:
    """What the arguments add, switches and lists apart."""
    found = []
    if not definition.is_whole:
        found.append(Evidence("schema", "a schema that is not there or cannot be read whole", UNKNOWN))
    for argument in definition.arguments:
        found += _of_argument(argument)
    return found


def is_switch(argument: Argument) -> bool:
    """Whether an argument chooses what the call does."""
    may_be_text = not argument.types or "string" in argument.types
    return may_be_text and words.last_word(argument.name) in words.SWITCHES


def is_path(argument: Argument) -> bool:
    """Whether an argument names a place on the server's disk."""
    return words.last_word(argument.name) in words.PATHS


def is_address(argument: Argument) -> bool:
    """Whether an argument names a place outside."""
    return argument.name == "to" or words.last_word(argument.name) in words.ADDRESSES


def _verbs(spoken: list[str]) -> Iterator[tuple[str, RiskClass]]:
    """The words that count, with what each says.

    After a verb of reading the rest of the name is what is read, unless it destroys or a joining word comes before.
    """
    if len(spoken) == 1 and spoken[0] in words.READINGS:
        yield spoken[0], RiskClass.READ
        return
    is_reading = False
    for place, word in enumerate(spoken):
        risk = words.VERBS.get(word)
        is_joined = place > 0 and spoken[place - 1] in words.JOINING
        if is_joined and risk is None:
            yield word, UNKNOWN
        elif risk is RiskClass.READ:
            # Anywhere else such a word may be a noun: `shuffle_list`.
            if place == 0 or is_joined:
                is_reading = True
                yield word, risk
        elif risk is not None and (risk is RiskClass.DESTRUCTIVE or is_joined or not is_reading):
            yield word, risk
        elif word in words.NOUNS and not is_reading:
            yield word, words.NOUNS[word]


def _of_argument(argument: Argument) -> Iterator[Evidence]:
    risk = words.argument_risk(argument.name)
    if risk is not None:
        yield Evidence("schema", f"the argument {argument.path}", risk)
    if is_switch(argument) and not argument.values:
        text = f"{argument.path} chooses what it does, and its schema does not say between what"
        yield Evidence("schema", text, RiskClass.DESTRUCTIVE)
    if is_path(argument) or is_address(argument):
        yield Evidence("schema", f"a place of the caller's choosing in {argument.path}", level=Level.MEDIUM)
