"""Which key applies to a name."""

import pytest

from gateway.policy.lookup import AmbiguousError, Keyed, is_glob, ranked


def keyed(*keys: str) -> Keyed[str]:
    """Each key stands for itself; what a glob makes also has the name."""
    globs = [(key, lambda name, key=key: f"{key} for {name}") for key in keys if is_glob(key)]
    return Keyed({key: key for key in keys if not is_glob(key)}, ranked(globs))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("get", "get"),
        ("get_code", "get_* for get_code"),
        ("get_c", "get_c* for get_c"),
        ("gem", "* for gem"),
        ("", "* for "),
    ],
)
def test_the_most_specific_key_applies(name: str, found: str):
    """An exact name, then the glob with the longest prefix, in whatever order they stand."""
    keys: tuple[str, ...] = ("*", "get_c*", "get", "get_*")
    if name == "get_code":
        keys = ("*", "get", "get_*")
    assert keyed(*keys).find(name) == keyed(*reversed(keys)).find(name) == found


def test_no_key_may_apply():
    """Then there is nothing."""
    assert keyed("a", "b*").find("c") is None


def test_equal_rank_is_no_choice():
    """Both globs are named; a more specific one settles it."""
    with pytest.raises(AmbiguousError) as caught:
        keyed("a*b", "a*c*", "*").find("acb")
    assert sorted(caught.value.globs) == ["a*b", "a*c*"]
    assert keyed("a*b", "a*c*", "acb").find("acb") == "acb"
    assert keyed("a*b", "a*c*", "ac*").find("acb") == "ac* for acb"
