"""Every pattern has a sentence."""

from gateway.catalog import attacks


def test_each_pattern_is_explained_in_a_sentence():
    """What `catalog show` prints beside a pattern's name is one sentence."""
    names = {value for name, value in vars(attacks).items() if name.isupper() and isinstance(value, str)}
    assert names == set(attacks.ATTACKS)
    assert all(text.endswith(".") and text.count(". ") == 0 for text in attacks.ATTACKS.values())
