"""`gateway demo tour`: the table a newcomer sees."""

from tests.support.processes import CommandProcess


async def test_every_row_is_as_promised():
    """Ten calls pass, two are refused with the wait, and the server's own count agrees."""
    tour = CommandProcess("demo", "tour", ready="the last 4 lines of the audit journal:")
    await tour.start()
    assert await tour.ended() == 0
    rows = [line for line in tour.output.splitlines() if line.endswith((" yes", " NO"))]
    assert len(rows) == 19
    assert all(row.endswith(" yes") for row in rows)
    assert sum("[POLICY DENIED] cancel_task is limited to 10 calls a minute." in row for row in rows) == 2
    assert tour.output.count('"type":') == 4
