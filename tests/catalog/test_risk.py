"""Classes and levels are ordered, and told apart by their words."""

import pytest

from gateway.catalog.risk import LEVEL_OF, Level, RiskClass, highest, reaches, riskiest


def test_the_worst_class_counts():
    """Of several classes the worst one is taken, and Read where there is none."""
    assert riskiest(RiskClass.WRITE, None, RiskClass.DESTRUCTIVE, RiskClass.EXECUTE) is RiskClass.DESTRUCTIVE
    assert riskiest(None) is RiskClass.READ


def test_the_worst_level_counts():
    """Of several levels the worst one is taken, and Low where there is none."""
    assert highest(Level.MEDIUM, None, Level.HIGH) is Level.HIGH
    assert highest() is Level.LOW


@pytest.mark.parametrize(("milder", "worse"), [*zip(list(RiskClass), list(RiskClass)[1:], strict=False)])
def test_each_class_reaches_those_before_it(milder, worse):
    """The order is Read, Write, Execute, Destructive, Financial."""
    assert reaches(worse, milder)
    assert reaches(milder, milder)
    assert not reaches(milder, worse)


def test_every_class_has_its_level():
    """Read is Low, Write Medium, Execute High, the others Critical."""
    assert [LEVEL_OF[risk].value for risk in RiskClass] == ["Low", "Medium", "High", "Critical", "Critical"]
