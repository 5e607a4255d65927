"""Styles differ in how much they let through, and in nothing else."""

from gateway.catalog.risk import RiskClass
from gateway.catalog.styles import STYLES

ORDER = ("allow", "ask", "deny")


def test_balanced_is_the_table_of_the_policy_language():
    """Read freely, Write 30 and Execute 10 a minute, the others asked for."""
    answers = STYLES["balanced"].answers
    assert [(answers[risk].verdict, answers[risk].per_minute) for risk in RiskClass] == [
        ("allow", None),
        ("allow", 30),
        ("allow", 10),
        ("ask", None),
        ("ask", None),
    ]


def test_strict_is_never_milder_than_balanced():
    """For each class it allows less, or as much."""
    for risk, balanced in STYLES["balanced"].answers.items():
        strict = STYLES["strict"].answers[risk]
        assert ORDER.index(strict.verdict) >= ORDER.index(balanced.verdict)
        assert (strict.per_minute or 0) <= (balanced.per_minute or 0)


def test_watch_records_what_balanced_would_do():
    """It has the same answers, in shadow."""
    assert STYLES["watch"].answers == STYLES["balanced"].answers
    assert [name for name, style in STYLES.items() if style.is_shadow] == ["watch"]


def test_a_worse_class_is_never_answered_more_mildly():
    """Within a style, the answers get stricter from Read to Financial."""
    for style in STYLES.values():
        verdicts = [ORDER.index(style.answers[risk].verdict) for risk in RiskClass]
        assert verdicts == sorted(verdicts)
