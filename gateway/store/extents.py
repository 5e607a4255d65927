"""Which stretches of a row of words are free. Knows nothing of what the taken ones hold; `counters` asks."""

import bisect
from collections.abc import Iterable


class Extents:
    """The free stretches of words, in order and never touching one another."""

    def __init__(self, start: int, end: int, taken: Iterable[tuple[int, int]]) -> None:
        """Everything in [start, end) is free but `taken`: (offset, length) pairs, inside and disjoint."""
        self._free: list[tuple[int, int]] = []
        for offset, length in sorted(taken):
            if offset > start:
                self._free.append((start, offset - start))
            start = offset + length
        if end > start:
            self._free.append((start, end - start))

    def take(self, length: int) -> int | None:
        """The offset of `length` words that were free until now, or None when there is no such stretch."""
        for index, (offset, room) in enumerate(self._free):
            if room >= length:
                self._free[index : index + 1] = [(offset + length, room - length)] if room > length else []
                return offset
        return None

    def give(self, offset: int, length: int) -> None:
        """Free a stretch that was taken, joining it with free neighbours."""
        index = bisect.bisect(self._free, (offset, length))
        first, last = index, index
        if index > 0 and sum(self._free[index - 1]) == offset:
            first = index - 1
            offset, length = self._free[first][0], self._free[first][1] + length
        if index < len(self._free) and offset + length == self._free[index][0]:
            last = index + 1
            length += self._free[index][1]
        self._free[first:last] = [(offset, length)]
