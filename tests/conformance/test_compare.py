"""A gateway that makes any difference to the suite is found out, and the report says where."""

import pytest

from tests.conformance.compare import Comparison, report
from tests.conformance.suite import Check, Outcome

PASSED = Check("tools-list", "SUCCESS")
FAILED = Check("tools-list", "FAILURE", "Missing tools array")


def seen(messages: int) -> Check:
    return Check("wire-schema-valid", "SUCCESS", details={"messagesValidated": messages})


def comparison(direct, gateway, **more):
    """One revision with the scenario `tools-list`, whose checks these are."""
    return Comparison("2025-11-25", {"tools-list": Outcome(direct)}, {"tools-list": Outcome(gateway)}, **more)


def test_the_same_checks_in_any_order_are_no_difference():
    """What counts is how often each check ended in which way."""
    first, second = Check("a", "SUCCESS"), Check("b", "INFO")
    assert comparison((first, second), (second, first)).is_good


@pytest.mark.parametrize(
    ("direct", "gateway"),
    [
        pytest.param((PASSED,), (FAILED,), id="a check fails"),
        pytest.param((PASSED, PASSED), (PASSED,), id="a check is missing"),
        pytest.param((PASSED,), (PASSED, Check("extra", "INFO")), id="a check comes in addition"),
        pytest.param((FAILED,), (PASSED,), id="the gateway does better"),
        pytest.param((seen(5),), (seen(4),), id="a message is missing"),
    ],
)
def test_any_difference_is_found(direct, gateway):
    """Green is not enough: the outcomes must be the same, for better and for worse."""
    found = comparison(direct, gateway)
    assert found.different == ["tools-list"]
    assert not found.is_good


def test_a_scenario_that_ran_one_way_only_is_a_difference():
    """A scenario that the gateway keeps from running is not overlooked."""
    found = Comparison("2025-11-25", {"ping": Outcome((PASSED,))}, {})
    assert found.different == ["ping"]
    assert "| ping     |    1/1 |       - | no   |" in report(found)


def test_a_scored_scenario_must_pass_directly():
    """The fixture server is held to the whole requirement set, also to what did not run at all."""
    found = comparison((FAILED,), (FAILED,), scored=frozenset({"tools-list", "ping"}))
    assert found.failed_directly == ["ping", "tools-list"]
    assert not found.is_good


def test_what_is_not_scored_may_fail_directly():
    """Extensions that the fixture server does not have are only compared."""
    assert comparison((FAILED,), (FAILED,), scored=frozenset()).is_good


def test_a_warning_is_no_failure():
    """The suite lets a scenario with warnings pass, and so do we."""
    warned = (Check("tools-name-format", "WARNING"),)
    assert comparison(warned, warned).is_good


def test_the_report_quotes_what_the_suite_says_about_a_difference():
    """Whoever reads the report need not open the results."""
    lines = report(comparison((PASSED, seen(5)), (FAILED, seen(4)))).splitlines()
    assert lines[-4:] == [
        "- tools-list differs:",
        "  - direct: tools-list SUCCESS",
        "  - gateway: tools-list FAILURE Missing tools array",
        "  - direct: 5 messages seen; gateway: 4",
    ]
