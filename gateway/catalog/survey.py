"""Classifies every tool of a server's list, by what is known of it by heart or else by its definition.

The command line calls it. It is no client: somebody else lists the tools.
"""

from collections.abc import Iterable
from typing import Any, Final

from gateway.catalog import words
from gateway.catalog.binassist import known
from gateway.catalog.classify import classify
from gateway.catalog.definition import read_definition
from gateway.catalog.risk import Classification, reaches

_FEWEST_IN_NAMESPACE: Final = 5


def survey(entries: Iterable[dict[str, Any]]) -> tuple[Classification, ...]:
    """One classification for each name, in the order of the list; of two tools of one name the riskier.

    Each entry is one of `tools/list` and has a `name` that is a string.
    """
    definitions = list(map(read_definition, entries))
    namespace = _namespace({definition.name for definition in definitions})
    found: dict[str, Classification] = {}
    for definition in definitions:
        classification = known(definition) or classify(definition, namespace)
        before = found.get(definition.name)
        if before is None or reaches(classification.risk, before.risk):
            found[definition.name] = classification
    return tuple(found.values())


def _namespace(names: set[str]) -> str:
    """The word that every name begins with, as `github` in `github_list_issues`; empty where there is none.

    A word that says what a call does is no namespace, and a few names may share a verb that we do not know.
    """
    first = {(words.words_of(name) or [""])[0] for name in names}
    word = first.pop() if len(first) == 1 and len(names) >= _FEWEST_IN_NAMESPACE else ""
    return "" if word in words.VERBS or word in words.NOUNS else word
