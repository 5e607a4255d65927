"""Policy documents: none is half understood.

Claim: a text read as JSON, YAML or TOML is a policy that compiles, or a `DocumentError` that names every mistake's
place; nothing else is ever raised.
"""

from gateway.documents import Format, read_document
from gateway.errors import DocumentError, Problem
from gateway.policy.load import load_policy
from gateway.policy.tables import compile_policy

FORMATS: tuple[Format, ...] = ("json", "yaml", "toml")
NAME = "policy"


def check(data: bytes) -> None:
    """Raise where the claim does not hold for this text, in any of the three formats."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # Files in another encoding are refused before they get here (`source_files`).
        return
    for format in FORMATS:
        for problem in problems(text, format):
            assert problem.place.startswith(NAME)
            assert problem.message


def problems(text: str, format: Format) -> tuple[Problem, ...]:
    """What is wrong with the text, at least one thing; empty for a policy, which then compiles."""
    try:
        policy = load_policy(read_document(text, NAME, format))
    except DocumentError as error:
        return error.problems or (Problem(place="", message=""),)
    compile_policy(policy)
    return ()
