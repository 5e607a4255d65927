"""The printed matrix shows every client and column, what is wrong with a cell, and why there is none."""

from tests.matrix.judging import Row
from tests.matrix.run import COLUMNS, report

GOOD = dict.fromkeys(COLUMNS, "")


def test_a_bad_cell_is_marked_and_explained():
    """The table shows where, the line below it why."""
    lines = report([Row("one", GOOD), Row("two", GOOD | {"list": "expected this, saw that"})]).splitlines()
    assert lines[0].startswith("| client | connect | list | allowed |")
    assert lines[2].startswith("| one    | yes     | yes  | yes     |")
    assert lines[3].startswith("| two    | yes     | NO   | yes     |")
    assert lines[-1] == "- two, list: expected this, saw that"


def test_a_gap_is_marked_and_explained():
    """Columns with one reason share a line."""
    client = "Inspector 2.12.0 mcpdo"
    cells = {column: "" for column in COLUMNS if column not in ("cancel", "cancel arrives")}
    lines = report([Row(client, cells)]).splitlines()
    assert " | yes      | -      | yes         | " in lines[2]
    assert f"- {client} cannot do progress: it shows no progress" in lines
    assert any(line.startswith(f"- {client} cannot do cancel, cancel arrives: it shows") for line in lines)
