"""Results of golden cases as JUnit XML, the form that every CI reads."""

from collections.abc import Sequence
from xml.etree import ElementTree

import msgspec

from gateway.visible import visible


class CaseResult(msgspec.Struct, frozen=True):
    """What came of one case."""

    file: str
    name: str
    calls: int
    """How many were made."""
    failures: tuple[str, ...]
    """Lines for people; none for a case that has passed."""


def report(results: Sequence[CaseResult]) -> str:
    """One suite for each file, in the order of the results."""
    root = ElementTree.Element("testsuites", _sums(results))
    for file in dict.fromkeys(result.file for result in results):
        of_file = [result for result in results if result.file == file]
        suite = ElementTree.SubElement(root, "testsuite", {"name": visible(file), **_sums(of_file)})
        for result in of_file:
            attributes = {"classname": visible(file), "name": visible(result.name)}
            case = ElementTree.SubElement(suite, "testcase", attributes)
            if result.failures:
                text = "\n".join(result.failures)
                # XML has no way to write most control characters.
                failure = ElementTree.SubElement(case, "failure", {"message": visible(result.failures[0].strip())})
                failure.text = visible(text, keep="\n")
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _sums(results: Sequence[CaseResult]) -> dict[str, str]:
    failed = sum(bool(result.failures) for result in results)
    return {"tests": str(len(results)), "failures": str(failed), "errors": "0"}
