"""The tour's table. The tour itself runs in tests/cli/test_demo_tour.py."""

import pytest

from gateway.demo.tour import Table


def test_one_broken_promise_breaks_the_table(capsys: pytest.CaptureFixture[str]):
    """A row that does not hold is marked, and decides the outcome."""
    table = Table()
    table.row("first", "as it\n should be", holds=True)
    promised = [table.is_as_promised]
    table.row("second", "not so", holds=False)
    table.row("third", "fine", holds=True)
    assert [*promised, table.is_as_promised] == [True, False]
    rows = capsys.readouterr().out.splitlines()[2:]
    assert [row.split()[-1] for row in rows] == ["yes", "NO", "yes"]
    assert "as it should be" in rows[0]
