"""Every item of the catalogue of bad inputs against a running gateway, as a table: `make attack`."""

import argparse
import asyncio
import collections
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from tests.attack.cases import cases
from tests.attack.items import ITEMS
from tests.attack.sending import ROUNDS, Row, send_all

ROOT: Final = Path(__file__).parents[2]
_IN_THE_TEST: Final = "(test)"
_WIDEST: Final = 56
_HEAD: Final = ("item", "sent", "answered", "forwarded?", "recorded?")


def run_tests(directory: Path) -> list[Row]:
    """Run the tests that the items name: one row for each item that names any, or has nothing to attack.

    In a process of their own, since pytest wants to be the first to import what it runs.
    """
    report = directory / "report.xml"
    nodes = dict.fromkeys(f"tests/{test}" for item in ITEMS.values() for test in item.tests)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}", *nodes]
    subprocess.run(command, cwd=ROOT, check=False)
    return list(rows_of_tests(_passed(report)))


def _passed(report: Path) -> dict[str, list[bool]]:
    """What became of each test; one that is parametrised has several results. A skipped one proves nothing."""
    passed: dict[str, list[bool]] = collections.defaultdict(list)
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):
            module = case.attrib["classname"].replace(".", "/")
            passed[f"{module}.py::{case.attrib['name'].partition('[')[0]}"].append(len(case) == 0)
    return passed


def rows_of_tests(passed: dict[str, list[bool]]) -> Iterator[Row]:
    """What the tests of each item came to, by what became of each test."""
    for number, item in ITEMS.items():
        if item.absent:
            yield Row(number, item.what, f"nothing to attack: {item.absent}", "-", "-")
        if item.tests:
            results = {test: passed.get(f"tests/{test}", []) for test in item.tests}
            failed = [test for test, passes in results.items() if not passes or not all(passes)]
            each = [result for test in results.values() for result in test]
            answered = f"{sum(each)} of {len(each)} tests pass"
            row = Row(number, f"{item.what}: scenarios", answered, _IN_THE_TEST, _IN_THE_TEST)
            row.faults = [f"does not pass: {test}" for test in failed]
            yield row


def table(rows: Iterable[Row]) -> Iterator[str]:
    """The summary, line by line, the faults of each row below it."""
    lines = [
        ((str(row.item), row.sent, row.answered, row.forwarded, row.recorded), row.faults)
        for row in sorted(rows, key=lambda row: row.item)
    ]
    columns = zip(_HEAD, *(cells for cells, _ in lines), strict=True)
    widths = [min(_WIDEST, max(map(len, column))) for column in columns]
    for cells, faults in [(_HEAD, []), *lines]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
        yield from (f"      FAILED: {fault}" for fault in faults)


def main() -> int:
    """Attack, and print the table; 1 where something did not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each request is sent")
    parser.add_argument("--requests-only", action="store_true", help="leave out what is a test of its own")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        rows, faults = asyncio.run(send_all(Path(directory), list(cases()), args.rounds))
        if not args.requests_only:
            rows += run_tests(Path(directory))
    print("\n".join(table(rows)))
    print(f"\n{_IN_THE_TEST}: as the tests of the item say, which tests/attack/items.py names.")
    failed = [row for row in rows if row.faults]
    items = len({row.item for row in rows})
    print(
        f"{len(rows)} rows for {items} items, {len(failed)} failed; {len(faults)} faults of the whole",
        *faults,
        sep="\n",
    )
    return 1 if failed or faults else 0


if __name__ == "__main__":
    sys.exit(main())
