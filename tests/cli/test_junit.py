"""Results in the form that a CI reads."""

from xml.etree import ElementTree

from gateway.cli.junit import CaseResult, report


def test_a_report_has_a_suite_for_each_file():
    """With its cases, and their failures."""
    text = report(
        [
            CaseResult("a.yaml", "passes", 2, ()),
            CaseResult("a.yaml", "fails", 1, ("  a.yaml:3:5: verdict: expected <deny>, got allow", "    decided by x")),
            CaseResult("b.yaml", "passes too", 1, ()),
        ]
    )
    root = ElementTree.fromstring(text)
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    assert [(suite.get("name"), suite.get("failures")) for suite in root] == [("a.yaml", "1"), ("b.yaml", "0")]
    failure = root.find("testsuite/testcase[@name='fails']/failure")
    assert failure is not None
    assert failure.get("message") == "a.yaml:3:5: verdict: expected <deny>, got allow"
    assert failure.text == "  a.yaml:3:5: verdict: expected <deny>, got allow\n    decided by x"


def test_what_xml_cannot_hold_is_made_visible():
    """A control character in a name leaves a report that can still be read."""
    root = ElementTree.fromstring(report([CaseResult("a.yaml", "bell \x07", 1, ("x \x00",))]))
    case = root.find("testsuite/testcase")
    assert case is not None
    assert case.get("name") == "bell \\u{7}"
