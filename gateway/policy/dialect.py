"""Recognises the dialect of a policy document by its own marks, and finds its version-1 form.

Three are known: version 1, Intercept's YAML (`intercept.py`), and fragments of either, which lack `version`.
`load.py` asks for the form; `gateway check` asks whether a document is a policy at all.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from gateway.documents import Carried, Document
from gateway.policy import intercept
from gateway.policy.model import Policy, ToolRules
from gateway.reading.outcome import Fault, Path

_POLICY_FIELDS: Final = frozenset(field.encode_name for field in msgspec.structs.fields(Policy))
_TOOL_FIELDS: Final = frozenset(ToolRules.__struct_fields__)
_RULES: Final = "rules"

# Each of these makes a document a policy by itself.
_POLICY_MARKS: Final = {"version", "default", "tools"}
# What an Intercept document has beside its tools, it shares with version 1.
_ONLY_VERSION_1: Final = _POLICY_FIELDS - set(intercept.Intercept.__struct_fields__)


def is_policy(value: object) -> bool:
    """Whether plain data has the marks of a policy, whatever may be wrong with it."""
    return isinstance(value, dict) and (bool(_POLICY_MARKS & value.keys()) or _is_bare(value))


def version_1(document: Document) -> tuple[Document | None, list[Fault]]:
    """The version-1 form of a policy document, and what of the document cannot be carried over to it.

    A version-1 document is its own form. There is no form where the dialect is mixed or its shapes are wrong. The
    form itself is not checked. Faults are by their paths in `document`, the form's places are those of its text.
    """
    whole = _completed(document)
    mark = next(_intercept_marks(whole), None)
    if mark is None:
        return whole, []
    if mixed := list(_mixture(whole, mark)):
        return None, _traced(whole, mixed)
    form, faults = intercept.version_1(whole)
    return form, _traced(whole, faults)


def _traced(whole: Document, faults: list[Fault]) -> list[Fault]:
    return [(whole.origin(path), message) for path, message in faults]


def _completed(document: Document) -> Document:
    """The document, a fragment with what it lacks: it says nothing of other tools, so these are denied."""
    value = document.value
    if not isinstance(value, dict) or "version" in value:
        return document
    if isinstance(value.get("tools"), dict):
        fields = value
    elif _is_bare(value):
        fields = {"tools": Carried(value, ())}
    else:
        return document
    return document.rewritten(Carried({"version": "1", "default": "deny", **fields}, ()))


def _is_bare(value: dict[str, object]) -> bool:
    """Whether these are the rules of tools by name, without the policy around them."""
    if _POLICY_FIELDS & value.keys():
        return False
    entries = [entry for entry in value.values() if isinstance(entry, dict)]
    return len(entries) == len(value) and any(entry.keys() & {_RULES, *_TOOL_FIELDS} for entry in entries)


def _entries(document: Document) -> Iterator[tuple[Path, dict[str, object]]]:
    for path, value in document.parts().items():
        match path:
            case ("tools", str()) if isinstance(value, dict):
                yield path, value


def _intercept_marks(document: Document) -> Iterator[Path]:
    for path, entry in _entries(document):
        if _RULES in entry:
            yield (*path, _RULES)
    if isinstance(document.value, dict) and "approvals" in document.value:
        yield ("approvals",)


def _mixture(document: Document, mark: Path) -> Iterator[Fault]:
    """What only version 1 has, in a document that has a mark of Intercept's."""
    of_tools = {(*path, name) for path, entry in _entries(document) for name in entry if name in _TOOL_FIELDS}
    for path in document.parts():
        if path not in of_tools and not (len(path) == 1 and path[0] in _ONLY_VERSION_1):
            continue
        message = (
            f"`{path[-1]}` is version 1's, but `{mark[-1]}` at {document.place(mark)} is Intercept's; "
            "write the whole document in one of the two"
        )
        yield path, message
