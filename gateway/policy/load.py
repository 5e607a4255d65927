"""From a document to a checked `Policy`: the one way in, for the server and for `gateway check`."""

import msgspec

from gateway.documents import Document
from gateway.errors import DocumentError
from gateway.policy import dialect
from gateway.policy.checks import find_faults
from gateway.policy.model import Policy
from gateway.reading import shapes
from gateway.reading.outcome import Fault


def decode_policy(document: Document) -> tuple[Policy | None, list[Fault]]:
    """The policy that a document in any dialect holds; else None, and every mistake by its path in the document."""
    form, faults = _examined(document)
    return (None, faults) if form is None or faults else (msgspec.convert(form.value, Policy), [])


def version_1(document: Document) -> Document:
    """The version-1 form of a policy in any dialect, as plain data; that of a version-1 document is itself.

    Raises DocumentError with every mistake in the order of the text, each with its place and what would
    mend it.
    """
    form, faults = _examined(document)
    if form is None or faults:
        raise DocumentError(document.problems(faults))
    return form


def load_policy(document: Document) -> Policy:
    """Decode and check a policy in any dialect. What it returns always compiles. Raises as `version_1`."""
    return msgspec.convert(version_1(document).value, Policy)


def _examined(document: Document) -> tuple[Document | None, list[Fault]]:
    form, faults = dialect.version_1(document)
    if form is not None:
        found = [*shapes.faults(form.value, Policy), *find_faults(form)]
        faults += [(form.origin(path), message) for path, message in found]
    return form, faults
