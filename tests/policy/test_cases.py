"""Golden cases: the format, the clock, and what is said of a call that is not as expected."""

from typing import Any

import pytest

from gateway.documents import Document, read_document
from gateway.errors import DocumentError
from gateway.policy.cases import Mismatch, Outcome, load_cases, run_case
from tests.support.policies import policy

LIMITED = policy(tools={"t": {"limits": [{"counter": "c", "window": "minute", "max": 2}]}, "u": {}})


def cases_of(text: str) -> Document:
    """The document that a file `cases.yaml` with this text would be."""
    return read_document(text, "cases.yaml", "yaml")


def outcomes(*calls: str, head: str = "", checked: Any = LIMITED) -> list[Outcome]:
    """What comes of one case with these calls."""
    lines = ["- case: a case", *([f"  {head}"] if head else []), "  calls:", *(f"  - {{{call}}}" for call in calls)]
    return list(run_case(load_cases(cases_of("\n".join(lines))), 0, checked))


def mismatches(*calls: str, head: str = "") -> list[tuple[Mismatch, ...]]:
    """What is not as expected, call by call."""
    return [outcome.mismatches for outcome in outcomes(*calls, head=head)]


def test_what_is_not_as_expected_is_named():
    """Field by field, with its place in the file."""
    (outcome,) = outcomes("tool: u, verdict: deny, rule: /tools/t, remaining: 1, message: no, kept: {args.a: 1}")
    assert outcome.place == "cases.yaml:3:5"
    assert {each.what: (each.expected, each.got) for each in outcome.mismatches} == {
        "verdict": ("deny", "allow"),
        "rule": ("/tools/t", "/tools/u"),
        "message": ("no", ""),
        "kept": ({"args.a": 1}, {}),
        "remaining": (1, None),
    }


def test_what_is_left_out_is_not_looked_at():
    """A verdict is enough."""
    assert mismatches("tool: u, verdict: allow", "tool: x, verdict: deny") == [(), ()]


def test_time_is_what_the_case_says():
    """`after` is a span since the call before, `at` a time of day or a time in full; a wait is exact."""
    assert (
        mismatches(
            "tool: t, verdict: allow, remaining: 1, at: '12:00:00'",
            "tool: t, verdict: allow, remaining: 0, after: 18.7",
            "tool: t, verdict: throttle, retry_after: 41300ms, remaining: 0",
            "tool: t, verdict: throttle, retry_after: 1s, at: '12:00:59'",
            "tool: t, verdict: allow, after: 1s",
            "tool: t, verdict: allow, at: '2027-01-16T00:00:00Z'",
        )
        == [()] * 6
    )
    assert mismatches(
        "tool: t, verdict: allow", "tool: t, verdict: allow", "tool: t, verdict: throttle, retry_after: 59"
    )[2] == (Mismatch("retry_after", "59000 ms", "60000 ms"),)


def test_calendar_windows_begin_with_the_hours_of_the_case():
    """A fixed window ends at the full minute that the clock shows."""
    daily = policy(tools={"t": {"limits": [{"counter": "c", "window": "day", "max": 1, "algorithm": "fixed_window"}]}})
    calls = ["tool: t, verdict: allow, at: '23:59:59'", "tool: t, verdict: allow, after: 1s"]
    assert [outcome.mismatches for outcome in outcomes(*calls, checked=daily)] == [(), ()]


def test_grants_and_sessions_are_counted_apart():
    """As the scopes say."""
    assert (
        mismatches(
            "tool: t, verdict: allow, remaining: 1",
            "tool: t, grant: bob, verdict: allow, remaining: 1",
            "tool: t, session: s, verdict: allow, remaining: 0",
        )
        == [()] * 3
    )


def test_a_case_may_have_a_policy_and_schemas_of_its_own():
    """Then the one under test is not asked."""
    head = "policy: {default: deny, tools: {v: {validate: {required_args: true}}}}\n  schemas: {v: {required: [a]}}"
    assert (
        mismatches("tool: v, verdict: deny, rule: /tools/v/validate", "tool: t, verdict: deny", head=head) == [()] * 2
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- {case: a, calls: [{tool: t}]}", "the field `verdict` is missing"),
        ("- {case: a, calls: [{tool: t, verdict: denied}]}", "did you mean `deny`?"),
        ("- {case: a, calls: [{tool: t, verdict: deny, rul: x}]}", "cases.yaml:1:46: /0/calls/0/rul: unknown field"),
        ("- {case: a, calls: [{verdict: deny}]}", "a call is aimed at one `tool`, `resource` or `prompt`"),
        ("- {case: a, calls: [{tool: t, prompt: p, verdict: deny}]}", "a call is aimed at one"),
        ("- {case: a, calls: [{tool: t, verdict: deny, after: soon}]}", '"soon" is not a duration'),
        ("- {case: a, calls: [{tool: t, verdict: deny, after: -1}]}", "time does not go backwards"),
        ("- {case: a, calls: [{tool: t, verdict: deny, retry_after: x}]}", '"x" is not a duration'),
        ("{case: a}", "a list"),
    ],
)
def test_a_mistake_in_a_file_of_cases_names_its_place(text: str, message: str):
    """Before any call is made."""
    with pytest.raises(DocumentError) as caught:
        load_cases(cases_of(text))
    assert message in str(caught.value)
    assert str(caught.value).startswith("cases.yaml:1:")


@pytest.mark.parametrize(
    ("calls", "head", "message"),
    [
        (
            ["tool: t, verdict: allow", "tool: t, verdict: allow, at: '07:59:59'"],
            "",
            "it is 2027-01-15T08:00:00Z already",
        ),
        (["tool: t, verdict: allow, at: noon"], "", '"noon" is not a time'),
        (["tool: t, verdict: allow"], "policy: {default: never}", "/0/policy/default: unknown value"),
        (["tool: t, verdict: allow"], "schemas: {t: {type: objekt}}", "/0/schemas: not a JSON Schema"),
    ],
)
def test_a_case_that_cannot_be_run_says_why(calls: list[str], head: str, message: str):
    """With the place of the mistake."""
    with pytest.raises(DocumentError, match="cases") as caught:
        outcomes(*calls, head=head)
    assert message in str(caught.value)


def test_a_case_needs_some_policy():
    """The one under test, or its own."""
    with pytest.raises(DocumentError, match="there is no policy to test"):
        outcomes("tool: t, verdict: allow", checked=None)
