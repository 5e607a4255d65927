"""Which entry of a policy applies to a name: the exact one, or else the most specific glob."""

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

import msgspec

from gateway import fastpath

T = TypeVar("T")


class AmbiguousError(Exception):
    """Two globs of equal rank match one name."""

    def __init__(self, globs: tuple[str, str]) -> None:
        super().__init__(" and ".join(globs))
        self.globs = globs


class Keyed(msgspec.Struct, Generic[T], frozen=True):
    """Entries by their keys. What stands under a glob is asked for by name, since it may depend on it."""

    exact: Mapping[str, T]
    globs: tuple[tuple[str, Callable[[str], T]], ...] = ()
    """With the longest literal prefix first."""

    def find(self, name: str) -> T | None:
        """The entry that applies, None if no key matches. Raises `AmbiguousError`."""
        if name in self.exact:
            return self.exact[name]
        if not self.globs:
            return None
        matching = [(glob, make) for glob, make in self.globs if fastpath.matches_glob(glob, name)]
        if not matching:
            return None
        (first, make), *others = matching
        if others and rank(others[0][0]) == rank(first):
            raise AmbiguousError((first, others[0][0]))
        return make(name)


def is_glob(key: str) -> bool:
    """Whether a key may match several names."""
    return "*" in key


def rank(glob: str) -> int:
    """How specific a glob is: the length of what stands before its first star."""
    return glob.index("*")


def ranked(globs: Iterable[tuple[str, Callable[[str], T]]]) -> tuple[tuple[str, Callable[[str], T]], ...]:
    """Globs in the order in which `Keyed` wants them."""
    return tuple(sorted(globs, key=lambda pair: -rank(pair[0])))
