"""From a document to a checked `Policy`: the one way in, for the server and for `gateway check`."""

from gateway.documents import Document, decode
from gateway.errors import DocumentError
from gateway.policy.checks import find_problems
from gateway.policy.model import Policy


def load_policy(document: Document) -> Policy:
    """Decode and check a version-1 policy. What it returns always compiles.

    Raises DocumentError with every mistake of the document, each with its place and what would mend it.
    """
    problems = find_problems(document)
    try:
        policy = decode(document, Policy)
    except DocumentError as error:
        raise DocumentError([*error.problems, *problems]) from None
    if problems:
        raise DocumentError(problems)
    return policy
