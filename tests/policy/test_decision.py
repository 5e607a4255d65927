"""Verdicts and decisions as values."""

from gateway.policy.decision import Decision, Verdict


def test_verdicts_are_the_words_of_records_and_replies():
    """The five words, spelled as policy.md spells them."""
    assert [str(verdict) for verdict in Verdict] == ["allow", "deny", "throttle", "pending", "error"]


def test_decisions_with_equal_parts_are_equal():
    """A decision is a value."""
    assert Decision(Verdict.DENY, "(hidden)", "no") == Decision(Verdict.DENY, "(hidden)", "no")
    assert Decision(Verdict.DENY, "(hidden)") != Decision(Verdict.DENY, "(default deny)")
