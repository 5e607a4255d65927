"""Errors that a person reads."""

import pytest

from gateway.errors import CountersFullError, DocumentError, GatewayError, Problem, StateError


def test_a_problem_names_its_place():
    """The place stands before the message; where none is known, the message stands alone."""
    assert str(Problem("policy.json:3:5: /tools", "unknown field")) == "policy.json:3:5: /tools: unknown field"
    assert str(Problem("", "unknown field")) == "unknown field"


def test_a_document_error_reports_every_problem():
    """Each mistake has its line, in the order given, and can be had one by one."""
    problems = [Problem("a:1", "first"), Problem("a:2", "second")]
    error = DocumentError(problems)
    assert str(error) == "a:1: first\na:2: second"
    assert error.problems == tuple(problems)


@pytest.mark.parametrize("kind", [DocumentError, StateError, CountersFullError])
def test_every_error_on_purpose_has_one_root(kind: type[Exception]):
    """Whoever catches `GatewayError` catches what the gateway raises on purpose, and nothing else."""
    assert issubclass(kind, GatewayError)
    assert not issubclass(GatewayError, (OSError, ValueError))
