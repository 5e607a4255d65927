"""The bad inputs that are one request, through a real gateway; and that the summary notices what it is there for."""

import re
from pathlib import Path

import msgspec
import pytest

from tests.attack.cases import cases
from tests.attack.items import ITEMS
from tests.attack.run import rows_of_tests, table
from tests.attack.sending import Row, send_all

CASES = list(cases())


async def test_every_bad_request_is_answered_recorded_and_not_forwarded(tmp_path: Path):
    """Each has its status, a body of use and one record; the next call is served; nothing grows from round to round."""
    rows, faults = await send_all(tmp_path, CASES)
    assert [row for row in rows if row.faults] == []
    assert faults == []


@pytest.mark.parametrize(
    "wrong", [{"status": 418}, {"told": "http"}, {"told": "allow"}], ids=["status", "record", "not forwarded"]
)
async def test_what_does_not_hold_is_a_fault(tmp_path: Path, wrong: dict[str, str | int]):
    """A case that is not answered, recorded or forwarded as it says."""
    case = next(case for case in CASES if case.told == "deny")
    rows, _ = await send_all(tmp_path, [msgspec.structs.replace(case, **wrong)], rounds=1)
    assert rows[0].faults


def test_every_item_has_its_proof():
    """All 95: a request, a test, or a reason why there is nothing to attack; never a reason beside a proof."""
    assert list(ITEMS) == list(range(1, 96))
    sent = {case.item for case in CASES}
    assert [number for number, item in ITEMS.items() if not (number in sent or item.tests or item.absent)] == []
    assert [number for number, item in ITEMS.items() if item.absent and (item.tests or number in sent)] == []


def test_there_is_still_nothing_to_attack():
    """F92: the day a shared store comes, its item needs proofs and no reason."""
    sources = (Path(__file__).parents[2] / "gateway").rglob("*.py")
    assert [path.name for path in sources if re.search("redis|valkey", path.read_text(), re.IGNORECASE)] == []


def test_every_named_test_exists():
    """A proof that was renamed would prove nothing."""
    missing = []
    for item in ITEMS.values():
        for test in item.tests:
            path, _, name = test.partition("::")
            file = Path(__file__).parents[1] / path
            if not file.exists() or f"def {name}(" not in file.read_text():
                missing.append(test)
    assert missing == []


def test_a_test_that_fails_or_is_not_run_is_a_fault():
    """One of several cases is enough; a test that passes is none."""
    item = ITEMS[95]
    (test,) = item.tests
    for results, faults in (([True, True], 0), ([True, False], 1), ([], 1)):
        row = next(row for row in rows_of_tests({f"tests/{test}": results}) if row.item == 95)
        assert len(row.faults) == faults


def test_the_table_is_in_the_order_of_the_items():
    """With what failed below its row."""
    rows = [Row(9, "nine", "400", "no", "name"), Row(1, "one", "200", "yes", "allow", ["the server received it"])]
    head, one, fault, nine = table(rows)
    assert head.split() == ["item", "sent", "answered", "forwarded?", "recorded?"]
    assert one.split() == ["1", "one", "200", "yes", "allow"]
    assert fault.strip() == "FAILED: the server received it"
    assert nine.split() == ["9", "nine", "400", "no", "name"]
