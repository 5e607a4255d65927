"""The tour's table. The tour itself runs in tests/cli/test_demo_tour.py."""

from typing import Any

import mcp_types
import pytest

from gateway.demo.tour import LIMITED, NOT_LISTED, PASSES, Promise, Table, outcome_of


def result(
    decision: dict[str, Any] | None = None, *, text: str = "done", is_error: bool = True
) -> mcp_types.CallToolResult:
    """A tool result, with a decision of the gateway if there is one."""
    meta: Any = {"gateway.policy/decision": {"id": "1", **decision}} if decision else None
    return mcp_types.CallToolResult(content=[mcp_types.TextContent(text=text)], is_error=is_error, _meta=meta)


THROTTLED: dict[str, Any] = {"verdict": "throttle", "rule": LIMITED.rule, "retry_after_ms": 59_000}


def test_one_broken_promise_breaks_the_table(capsys: pytest.CaptureFixture[str]):
    """A row that does not hold is marked, and decides the outcome."""
    table = Table()
    table.row("first", "as it should be", holds=True)
    promised = [table.is_as_promised]
    table.row("second", "not so", holds=False)
    table.row("third", "fine", holds=True)
    assert [*promised, table.is_as_promised] == [True, False]
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[-1] for row in rows] == ["yes", "NO", "yes"]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (result(is_error=False), PASSES),
        (result(), Promise("failed at the server")),
        (result(THROTTLED), LIMITED),
        (result({"verdict": "deny", "rule": "(default deny)"}), NOT_LISTED),
    ],
)
def test_the_decision_is_read_from_the_answer(answer: mcp_types.CallToolResult, outcome: Promise):
    """Verdict, rule and whether there is a wait come from the decision, never from the text."""
    assert outcome_of(answer) == outcome


@pytest.mark.parametrize(
    "answer",
    [
        result(is_error=False),
        result(text="[POLICY DENIED] cancel_task is limited to 10 calls a minute. Try again in 59 s."),
        result(THROTTLED | {"verdict": "deny"}),
        result(THROTTLED | {"rule": "/all_tools/limits/calls"}),
        result({"verdict": "throttle", "rule": LIMITED.rule}),
        result(THROTTLED, is_error=False),
    ],
)
def test_only_the_promised_decision_is_as_promised(answer: mcp_types.CallToolResult):
    """Another verdict or rule, no wait, or a refusal that is no error, breaks the promise."""
    table = Table()
    table.call("call 11", answer, LIMITED)
    assert not table.is_as_promised


def test_a_refused_call_shows_what_the_agent_was_told(capsys: pytest.CaptureFixture[str]):
    """The rule stands in the row, and the text on one line below it."""
    table = Table()
    table.call("call 11", result(THROTTLED, text="too\n  often"), LIMITED)
    row, told = capsys.readouterr().out.splitlines()[2:]
    assert table.is_as_promised
    assert LIMITED.rule in row
    assert told == "    too often"
