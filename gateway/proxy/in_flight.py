"""How many calls of each grant are under way, by the concurrency rules that bound them."""

import collections
from collections.abc import Iterable

Owner = tuple[str, str]
"""A server and the label of a grant on it."""


class InFlight:
    """The places taken under every concurrency rule. It outlives the policies: a reload empties no place."""

    def __init__(self) -> None:
        self._taken: collections.Counter[tuple[Owner, str]] = collections.Counter()

    def count(self, owner: Owner, rule: str) -> int:
        """How many calls of the grant hold a place under this rule."""
        return self._taken[owner, rule]

    def take(self, owner: Owner, rules: Iterable[str]) -> None:
        """One place under each rule, until `give_back`."""
        for rule in rules:
            self._taken[owner, rule] += 1

    def give_back(self, owner: Owner, rules: Iterable[str]) -> None:
        """What `take` took; exactly once for each."""
        for rule in rules:
            self._taken[owner, rule] -= 1
            if self._taken[owner, rule] <= 0:
                del self._taken[owner, rule]
