"""`gateway demo tour`: the table a newcomer sees."""

from tests.support.processes import CommandProcess

LIMIT = "/tools/cancel_task/limits/cancel_task_rate"


async def test_every_row_is_as_promised():
    """Ten calls pass, two are refused with rule and wait, the server's count agrees, and the journal has it all."""
    async with CommandProcess("demo", "tour", ready="what the audit journal says") as tour:
        assert await tour.ended() == 0
    table, audit = tour.output.split("\nwhat the audit journal says")
    rows = [line for line in table.splitlines() if line.endswith((" yes", " NO"))]
    assert len(rows) == 19
    assert all(row.endswith(" yes") for row in rows)
    assert sum(f"throttle by {LIMIT}" in row for row in rows) == 2
    assert table.count("[POLICY DENIED] cancel_task is limited to 10 calls a minute. Try again in ") == 2
    assert "11 (promised: 10 of cancel-only + 1 of analyst)" in table
    decisions = [line.split()[1:] for line in audit.splitlines()[1:]]
    assert decisions[0][:2] == ["cancel_task", "allow"]
    assert [decision[:3] for decision in decisions[1:3]] == [["cancel_task", "throttle", LIMIT]] * 2
    assert all(decision[3].startswith("retry_after_ms=") for decision in decisions[1:3])
    assert decisions[3] == ["list_binaries", "deny", "(default", "deny)"]
    assert len(decisions) == 4
