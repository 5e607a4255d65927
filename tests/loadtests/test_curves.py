"""The picture is well-formed, and its curves end where they should."""

import re
from xml.etree import ElementTree

from loadtests.curves import Panel, draw

PANELS: list[Panel] = [("one", [("slow", [10]), ("fast", [10, 20, 30])]), ("two", [("slow", []), ("fast", [])])]


def test_it_is_well_formed_and_names_its_panels():
    """A browser would show nothing else."""
    root = ElementTree.fromstring(draw(PANELS, columns=1, span_ns=100, ceiling=(5, 10)))
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert {"one", "two", "slow the rate", "fast the rate"} <= set(texts)


def test_a_curve_steps_up_for_each_call():
    """Three calls of ten are three tenths of the height."""
    drawn = draw(PANELS, columns=1, span_ns=100, ceiling=(5, 10))
    fast, slow, *none = re.findall(r'<path d="(M0 130.*?)"', drawn)
    assert slow == "M0 130H22.0V117.0H220"
    assert fast == "M0 130H22.0V117.0H44.0V104.0H66.0V91.0H220"
    assert none == ["M0 130H220"] * 2
