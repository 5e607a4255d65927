"""From a document to a checked `Policy`: the one way in, for the server and for `gateway check`."""

import msgspec

from gateway.documents import Document
from gateway.errors import DocumentError
from gateway.policy.checks import find_faults
from gateway.policy.model import Policy
from gateway.reading import shapes
from gateway.reading.outcome import Fault


def policy_faults(document: Document) -> list[Fault]:
    """Every mistake of a version-1 policy, by its path in the document."""
    return [*shapes.faults(document.value, Policy), *find_faults(document)]


def load_policy(document: Document) -> Policy:
    """Decode and check a version-1 policy. What it returns always compiles.

    Raises DocumentError with every mistake in the order of the text, each with its place and what would
    mend it.
    """
    if problems := document.problems(policy_faults(document)):
        raise DocumentError(problems)
    return decode_policy(document)


def decode_policy(document: Document) -> Policy:
    """The policy of a document in which `policy_faults` finds nothing."""
    return msgspec.convert(document.value, Policy)
