"""`gateway test`: golden cases against a policy, from the command line."""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.cli.main import main

POLICY = """\
version: "1"
default: deny
tools:
  comments:
    deny_if: [{conditions: [{path: args.action, op: eq, value: remove}]}]
    limits: [{counter: c, window: minute, max: 1}]
"""
PASSING = """\
- case: one a minute
  calls:
    - {tool: comments, arguments: {action: get}, verdict: allow, rule: /tools/comments}
    - {tool: comments, after: 20s, arguments: {action: get}, verdict: throttle, retry_after: 40s, remaining: 0}
    - {tool: comments, at: "08:01:00", arguments: {action: get}, verdict: allow}
"""
FAILING = """\
- case: removing is fine
  calls:
    - {tool: comments, arguments: {action: remove}, verdict: allow}
- case: getting is fine
  calls:
    - {tool: comments, arguments: {action: get}, verdict: deny}
"""


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Work in an empty folder that has the policy; writes further files."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> None:
        Path(name).write_text(text)
        Path(name).chmod(0o600)

    write("policy.yaml", POLICY)
    return write


def test_cases_that_pass_are_counted(write, capsys: pytest.CaptureFixture[str]):
    """In one line, with exit code 0."""
    write("cases.yaml", PASSING)
    assert main(["test", "policy.yaml", "cases.yaml"]) == 0
    assert capsys.readouterr() == ("1 of 1 cases passed, 3 calls\n", "")


def test_a_case_that_fails_says_what_decided(write, capsys: pytest.CaptureFixture[str]):
    """The case, the line, what was expected, what came, and the step that decided; exit code 1."""
    write("cases.yaml", PASSING)
    write("more.yaml", FAILING)
    rule = "/tools/comments/deny_if/args.action-eq"
    assert main(["test", "policy.yaml", "cases.yaml", "more.yaml"]) == 1
    out, err = capsys.readouterr()
    assert out == "1 of 3 cases passed, 5 calls\n"
    assert err.splitlines() == [
        "FAILED removing is fine",
        "  more.yaml:3:7: verdict: expected allow, got deny",
        f'    decided by deny_if: {rule}: deny (args.action eq "remove": holds, met a string)',
        "FAILED getting is fine",
        "  more.yaml:6:7: verdict: expected deny, got allow",
        "    decided by every step passes; allowed by /tools/comments",
    ]


def test_a_report_is_written_for_a_ci(write, tmp_path: Path):
    """JUnit XML, whether cases fail or not."""
    write("cases.yaml", PASSING + FAILING)
    assert main(["test", "policy.yaml", "cases.yaml", "--junit", "report.xml"]) == 1
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("3", "2")


def test_a_report_that_cannot_be_written_is_an_error(write, capsys: pytest.CaptureFixture[str]):
    """With its name."""
    write("cases.yaml", PASSING)
    assert main(["test", "policy.yaml", "cases.yaml", "--junit", "no/such/report.xml"]) == 1
    assert "--junit: no/such/report.xml cannot be written" in capsys.readouterr().err


def test_a_mistake_in_the_files_is_no_failed_case(write, capsys: pytest.CaptureFixture[str]):
    """It is told with its place, before anything is run."""
    write("cases.yaml", "- {case: a, calls: [{tool: t, verdict: perhaps}]}\n")
    assert main(["test", "policy.yaml", "cases.yaml"]) == 1
    assert "cases.yaml:1:" in capsys.readouterr().err


def test_a_case_with_a_time_that_has_passed_fails_alone(write, capsys: pytest.CaptureFixture[str]):
    """The others are run."""
    late = "- {case: late, calls: [{tool: comments, verdict: allow}, {tool: x, verdict: deny, at: '01:00:00'}]}\n"
    write("cases.yaml", late + PASSING)
    assert main(["test", "policy.yaml", "cases.yaml"]) == 1
    out, err = capsys.readouterr()
    assert out == "1 of 2 cases passed, 4 calls\n"
    assert "it is 2027-01-15T08:00:00Z already" in err


def test_the_servers_schemas_may_be_given(write, capsys: pytest.CaptureFixture[str]):
    """For a policy that validates by them."""
    write("policy.yaml", 'version: "1"\ndefault: deny\ntools: {get_code: {validate: {required_args: true}}}\n')
    write("cases.yaml", "- {case: a, calls: [{tool: get_code, verdict: deny, rule: /tools/get_code/validate}]}\n")
    assert main(["test", "policy.yaml", "cases.yaml"]) == 1
    assert "(schema unavailable)" in capsys.readouterr().err
    assert main(["test", "policy.yaml", "cases.yaml", "--tools", "binassist"]) == 0
