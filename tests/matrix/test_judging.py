"""A client that saw, sent or ended anything else than it should spoils its cell, and only that one."""

import copy
from typing import Any

import pytest

from gateway.mcp.versions import Era
from tests.matrix.judging import judge, possible
from tests.support.agents import Account, Agent

LEGACY = Agent("old client", "python", "agent.py")
MODERN = Agent("new client", "python", "agent.py", era=Era.MODERN)
TOOLS = ["test_simple_text", "test_embedded_resource"]

OPENED = [{"type": "decision", "id": "1", "grant": "old-client", "method": "initialize"}]
CANCELLED: list[dict[str, Any]] = [
    {"type": "decision", "id": "2", "grant": "old-client", "method": "notifications/cancelled"},
    {"type": "outcome", "id": "2", "outcome": "completed", "upstream_status": 202},
]


def as_expected(agent=LEGACY, exit_code=0):
    """The account of an agent that saw everything it should."""
    seen = [expected for script in possible(agent, TOOLS).values() for _, expected in script]
    return Account(copy.deepcopy(seen), exit_code, "oops\n" if exit_code else "")


def bad_cells(agent=LEGACY, account=None, journal=(*OPENED, *CANCELLED)):
    row = judge(agent, TOOLS, account or as_expected(agent), journal)
    return {column: cell for column, cell in row.cells.items() if cell}


def test_a_client_that_saw_all_it_should_has_no_bad_cell():
    """The steps, the journal and the exit code agree."""
    assert bad_cells() == {}


def test_a_cell_says_what_was_seen_instead():
    """A denied tool in the list is one client's one bad cell."""
    account = as_expected()
    account.seen[1]["tools"] = TOOLS
    assert bad_cells(account=account) == {
        "list": "{'do': 'list_tools'}: expected {'tools': ['test_simple_text']}, saw {'tools': " + f"{TOOLS}}}"
    }


def test_a_client_that_ended_early_spoils_what_it_did_not_come_to():
    """Steps without an account are never taken for good ones."""
    account = as_expected()
    del account.seen[-1]
    assert list(bad_cells(account=account)) == ["sampling"]


def test_a_client_that_ends_badly_is_quoted():
    """All steps can be good, and the session still break at its end."""
    assert bad_cells(account=as_expected(exit_code=1)) == {"close": "exit code 1: oops"}


@pytest.mark.parametrize(
    ("opened", "complaint"), [((), "the agent opened 0"), ((*OPENED, *OPENED), "the agent opened 2")]
)
def test_a_session_that_does_not_last_is_found_in_the_journal(opened, complaint):
    """A client that silently connects again has lost its session."""
    assert bad_cells(journal=(*opened, *CANCELLED)) == {"one session": complaint}


@pytest.mark.parametrize(("upstream_status", "is_good"), [(202, True), (404, False)])
def test_a_legacy_cancellation_is_a_notification_that_the_server_took(upstream_status, is_good):
    """What the gateway swallowed did not arrive."""
    outcome = {**CANCELLED[1], "upstream_status": upstream_status}
    assert ("cancel arrives" not in bad_cells(journal=(*OPENED, CANCELLED[0], outcome))) == is_good


@pytest.mark.parametrize(("outcome", "is_good"), [("cancelled", True), ("completed", False)])
def test_a_modern_cancellation_is_a_call_that_was_broken_off(outcome, is_good):
    """The stream of the slow call was closed on the server too."""
    journal = [
        {"type": "decision", "id": "1", "grant": "new-client", "method": "server/discover"},
        {
            "type": "decision",
            "id": "2",
            "grant": "new-client",
            "method": "tools/call",
            "target": "test_tool_with_progress",
        },
        {"type": "outcome", "id": "2", "outcome": outcome, "upstream_status": 200},
    ]
    assert ("cancel arrives" not in bad_cells(MODERN, journal=journal)) == is_good


def test_what_another_client_did_is_no_concern_of_this_one():
    """Each has a grant of its own, by which the journal tells them apart."""
    others = [{**record, "grant": "new-client"} for record in OPENED]
    assert bad_cells(journal=(*OPENED, *others, *CANCELLED)) == {}


def test_a_gap_has_no_steps_and_no_cell():
    """What a client cannot do is not asked of it."""
    agent = Agent("Inspector 2.12.0 cli", "python", "agent.py")
    assert "progress" not in possible(agent, TOOLS)
    assert "progress" not in judge(agent, TOOLS, as_expected(agent), ()).cells
