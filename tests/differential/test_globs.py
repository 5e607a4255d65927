"""Both cores match globs as their definition says, and none takes long."""

from hypothesis import given, settings
from hypothesis import strategies as st


@settings(max_examples=400)
@given(pattern=st.text("ab*", max_size=8), name=st.text("ab", max_size=8))
def test_a_glob_matches_as_its_definition_says(core, pattern, name):
    """The fast way and the definition, which tries every run for every star, agree."""
    assert core.matches_glob(pattern, name) == matches_by_definition(pattern, name)


def matches_by_definition(pattern, name):
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(matches_by_definition(pattern[1:], name[start:]) for start in range(len(name) + 1))
    return name[:1] == pattern[0] and matches_by_definition(pattern[1:], name[1:])


def test_a_glob_of_many_stars_is_still_fast(core):
    """Twenty stars against a long name that nearly matches: a search that goes back would never end."""
    assert not core.matches_glob("a*" * 20 + "b", "a" * 10_000)
