"""The processes that the comparison needs are started, watched and stopped."""

import pytest

from tests.conformance.run import running
from tests.conformance.suite import SuiteError


def test_a_process_that_does_not_start_is_an_error(tmp_path):
    """The error names the module and where to read why."""
    log = tmp_path / "log"
    with (
        pytest.raises(SuiteError, match=rf"platform did not start; see {log}"),
        running("platform", ready="(never)", log=log),
    ):
        pass
    assert log.read_text() != ""


def test_a_process_says_what_it_is_ready_with(tmp_path):
    """What the pattern's group matched in its output, even if it has ended since."""
    with running("platform", ready=r"(Linux|macOS)", log=tmp_path / "log") as system:
        assert system in ("Linux", "macOS")
